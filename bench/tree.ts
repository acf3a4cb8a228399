import { readFileSync, readdirSync } from 'node:fs'
import { ownCpuNs } from './measure.ts'

/** Hundredths of a second: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const TICK_NS = 1e7

/** CPU time so far of this process and of another with all that descend from it, nanoseconds (Linux). */
export const withTreeCpuNs = (pid: number): number => ownCpuNs() + treeNs(pid)

const treeNs = (pid: number): number => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name of the program, in parentheses, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const own = (Number(fields[11]) + Number(fields[12])) * TICK_NS
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean),
    )
    return children.reduce((sum, child) => sum + treeNs(Number(child)), own)
  } catch {
    // It has ended in the meantime.
    return 0
  }
}
