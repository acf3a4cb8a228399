import { describe, expect, test } from 'vitest'
import { s3Place } from '../../cli/lake-store.ts'

const failure = (text: string): unknown => {
  try {
    return s3Place(text, {})
  } catch (error) {
    return error
  }
}

describe('the address of a lake in S3', () => {
  test('names a bucket, a prefix, and where they are', () => {
    expect(s3Place('s3://lakes', {})).toEqual({
      bucket: 'lakes',
      prefix: '',
      region: 'us-east-1',
      endpoint: undefined,
      pathStyle: false,
    })
    expect(s3Place('s3://my-lakes/kt/basis/?region=eu-west-1&endpoint=http://127.0.0.1:9000', {})).toEqual({
      bucket: 'my-lakes',
      prefix: 'kt/basis',
      region: 'eu-west-1',
      endpoint: 'http://127.0.0.1:9000',
      pathStyle: true,
    })
  })

  test('takes from the environment what it leaves out', () => {
    const env = { AWS_REGION: 'eu-north-1', KT_S3_ENDPOINT: 'https://s3.example.org' }
    expect(s3Place('s3://lakes?pathStyle=false', env)).toMatchObject({
      region: 'eu-north-1',
      endpoint: 'https://s3.example.org',
      pathStyle: false,
    })
    expect(s3Place('s3://lakes?region=x', { ...env, KT_S3_REGION: 'y' }).region).toBe('x')
    expect(s3Place('s3://lakes', { ...env, KT_S3_REGION: 'y' }).region).toBe('y')
  })

  test.each([
    'https://lakes',
    's3://',
    's3://L',
    's3://lakes//a',
    's3://lakes/a//b',
    's3://lakes?secret=x',
    's3://lakes?endpoint=ftp://x',
    's3://lakes?pathStyle=maybe',
    'nothing',
  ])('is refused as "%s"', (text) => expect(failure(text)).toMatchObject({ code: 'KT6420' }))

  test('has no credentials, and they are not repeated', () => {
    const error = failure('s3://AKIAKEY:s3cr3t@lakes/a') as Error
    expect(error).toMatchObject({ code: 'KT6420' })
    expect(JSON.stringify(error) + String(error.stack)).not.toMatch(/AKIAKEY|s3cr3t/)
  })
})
