import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { temporary } from './command.ts'

const own = (path: string): string => resolve(import.meta.dirname, '../..', path)
const NODE = `node-24.21.0/node_modules/node-linux-${process.arch}/bin/node`

/** kt in a folder of its own, with an npm that only writes down what it was asked for. */
const project = (root: string) => {
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  write('package.json', '{"type":"module"}')
  write('package-lock.json', '{}')
  write('cli/main.ts', "console.log('ran')")
  write('tools/npm', `#!/bin/sh\necho "$1" >>"${root}/asked"\nmkdir -p "${root}/node_modules"\n`)
  write('asked', '')
  write(`cache/kt/${NODE}`, '')
  for (const file of ['kt', 'boot.mjs']) {
    write(`bin/${file}`, '')
    copyFileSync(own(`bin/${file}`), join(root, 'bin', file))
  }
  for (const file of ['tools/npm', 'bin/kt']) chmodSync(join(root, file), 0o755)
  symlinkSync(process.execPath, join(root, 'tools/node'))
  writeFileSync(join(root, `cache/kt/${NODE}`), `#!/bin/sh\nexec "${process.execPath}" "$@"\n`, {
    mode: 0o755,
  })
  chmodSync(join(root, `cache/kt/${NODE}`), 0o755)
  return {
    kt: () => {
      const env = {
        ...process.env,
        PATH: `${root}/tools:${process.env['PATH']}`,
        XDG_CACHE_HOME: `${root}/cache`,
      }
      return spawnSync(join(root, 'bin/kt'), { encoding: 'utf8', env })
    },
    asked: () => readFileSync(join(root, 'asked'), 'utf8').split('\n').filter(Boolean),
    /** As a pull leaves it: later than all that is there. */
    pull: (file: string, text: string) => {
      writeFileSync(join(root, file), text)
      const later = new Date(Date.now() + 5000)
      utimesSync(join(root, file), later, later)
    },
  }
}

test('kt installs again when a pull has changed what it needs, and only then', () => {
  using folder = temporary()
  const { kt, asked, pull } = project(folder.path)
  expect(kt()).toMatchObject({ status: 0, stdout: 'ran\n', stderr: expect.stringContaining('installing') })
  expect(kt()).toMatchObject({ status: 0, stdout: 'ran\n', stderr: '' })
  expect(asked()).toEqual(['ci'])
  pull('package-lock.json', '{"name":"kt"}')
  expect(kt()).toMatchObject({ status: 0, stdout: 'ran\n', stderr: expect.stringContaining('installing') })
  pull('package.json', '{"type":"module","name":"kt"}')
  expect(kt()).toMatchObject({ status: 0, stdout: 'ran\n' })
  expect(asked()).toEqual(['ci', 'ci', 'ci'])
  pull('package.json', '{"type":"module","name":"kt"}')
  expect(kt()).toMatchObject({ status: 0, stdout: 'ran\n', stderr: '' })
  expect(asked()).toEqual(['ci', 'ci', 'ci'])
})

test.each([
  [
    'and says why where that fails',
    'echo "[ERROR] no such artifact"; exit 1',
    /not fetched: \[ERROR\] no such artifact\n/,
  ],
  ['and fails later where it brought nothing', 'exit 0', /java/],
])('a Kafka is fetched without the colours of Maven, %s', (_, does, says) => {
  using folder = temporary()
  const tool = join(folder.path, 'mvn')
  writeFileSync(tool, `#!/bin/sh\nprintf '\\033[0m' >&2\n${does}\n`)
  chmodSync(tool, 0o755)
  const env = {
    ...process.env,
    PATH: `${folder.path}:${process.env['PATH']}`,
    XDG_CACHE_HOME: folder.path,
    KT_KAFKA_DIR: join(folder.path, 'kafka'),
  }
  const { status, stderr } = spawnSync(process.execPath, [own('bin/kafka.ts'), 'up'], {
    encoding: 'utf8',
    env,
  })
  expect(status).not.toBe(0)
  expect(stderr).toMatch(says)
  expect(stderr).not.toContain('\u001b')
})
