import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate authority that nobody trusts by itself, and a server certificate of it. */
export interface Trust {
  readonly ca: string
  readonly key: string
  readonly cert: string
}

/** Make them with openssl, for `name` and for 127.0.0.1 and ::1. */
export const makeTrust = (name: string): Trust => {
  const folder = mkdtempSync(join(tmpdir(), 'kt-trust-'))
  const at = (file: string): string => join(folder, file)
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { stdio: 'pipe' })
  }
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  try {
    openssl('req', '-x509', ...curve, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=kt test authority')
    openssl('req', ...curve, '-keyout', at('key.pem'), '-out', at('request.pem'), '-subj', `/CN=${name}`)
    writeFileSync(at('names'), `subjectAltName=DNS:${name},IP:127.0.0.1,IP:::1`)
    openssl('x509', '-req', '-in', at('request.pem'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-out', at('cert.pem'), '-days', '1', '-extfile', at('names'))
    const [ca, key, cert] = ['ca.pem', 'key.pem', 'cert.pem'].map((file) => readFileSync(at(file), 'utf8'))
    return { ca: ca!, key: key!, cert: cert! }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
