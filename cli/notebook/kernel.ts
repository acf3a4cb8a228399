import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/**
 * Where Jupyter would find Deno's kernel; undefined where it is not registered.
 *
 * @see https://docs.jupyter.org/en/stable/use/jupyter-directories.html
 */
export const kernelOf = (): string | undefined => {
  const { env } = process
  const own =
    process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Jupyter')
      : join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'jupyter')
  const folders = [
    ...(env['JUPYTER_PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    env['JUPYTER_DATA_DIR'] ?? own,
    ...['/usr/local/share/jupyter', '/usr/share/jupyter'],
  ]
  return folders
    .map((folder) => join(folder, 'kernels', 'deno', 'kernel.json'))
    .find((file) => existsSync(file))
}
