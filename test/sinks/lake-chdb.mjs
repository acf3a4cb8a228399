// Answers statements (a JSON list on standard input) with rows, by ClickHouse in this process; its folder is the working one.
import { readFileSync } from 'node:fs'
import { Session } from 'chdb'

const session = new Session()
const settings = 'output_format_json_quote_64bit_integers = 1, output_format_json_quote_denormals = 1'
const answers = JSON.parse(readFileSync(0, 'utf8')).map((sql) => {
  const select = /^select/i.test(sql)
  const text = session.query(select ? `${sql} SETTINGS ${settings}` : sql, 'JSONEachRow')
  return select ? text.trim().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line)) : []
})
process.stdout.write(JSON.stringify(answers))
session.close()
