import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { hasJava } from '../../bin/kafka.ts'
import { kafkaCache } from '../../runtime/driver/kafka-client.ts'

/** Delta's library for Spark, and the release of Spark that it is made for. */
const DELTA = '4.4.0'
const SPARK = '4.2.'
const jars = join(kafkaCache(), `delta-spark-${DELTA}`)
const python = process.env['KT_PYTHON'] ?? 'python3'

/** Whether the Python of `KT_PYTHON` has that Spark. Delta's library (10 MB) is fetched by Maven, once. */
export const hasSpark = (): boolean => {
  const script = `import pyspark; assert pyspark.__version__.startswith('${SPARK}')`
  if (spawnSync(python, ['-c', script]).status !== 0 || !hasJava()) return false
  return existsSync(jars) || spawnSync('mvn', ['-v'], { stdio: 'ignore' }).status === 0
}

const fetchJars = (): void => {
  if (existsSync(jars)) return
  const fetching = `${jars}.${process.pid}`
  mkdirSync(fetching, { recursive: true })
  for (const artifact of ['delta-spark_2.13', 'delta-storage'])
    execFileSync(
      'mvn',
      [
        '-q',
        '-B',
        'dependency:copy',
        `-Dartifact=io.delta:${artifact}:${DELTA}`,
        `-DoutputDirectory=${fetching}`,
      ],
      // A project that is here by chance is none of its business.
      { cwd: fetching, stdio: ['ignore', 'ignore', 'inherit'] },
    )
  renameSync(fetching, jars)
}

export interface Asked {
  /** Folders of tables, by the names that the statements have for them. */
  readonly tables: Readonly<Record<string, string>>
  /** Each answers with one row. */
  readonly statements: readonly string[]
}

export interface Answered {
  /** By table and column. */
  readonly types: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** How far each application has come, as the table notes it (`txn`), by table and application. */
  readonly positions: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly rows: readonly (readonly (number | string)[])[]
}

/** Ask Spark, in a process of its own: it takes a while to begin, so all is asked at once. */
export const askSpark = (asked: Asked): Answered => {
  fetchJars()
  const child = spawnSync(python, ['-c', SCRIPT, jars], {
    input: JSON.stringify(asked),
    env: { ...process.env, SPARK_LOCAL_IP: '127.0.0.1' },
    maxBuffer: 1 << 26,
  })
  if (child.status !== 0) throw new Error(String(child.stderr))
  return JSON.parse(String(child.stdout)) as Answered
}

const SCRIPT = `
import glob, json, sys
from pyspark.sql import SparkSession
settings = {
    'spark.jars': ','.join(glob.glob(sys.argv[1] + '/*.jar')),
    'spark.sql.extensions': 'io.delta.sql.DeltaSparkSessionExtension',
    'spark.sql.catalog.spark_catalog': 'org.apache.spark.sql.delta.catalog.DeltaCatalog',
    'spark.sql.session.timeZone': 'UTC',
    'spark.sql.shuffle.partitions': '1',
    'spark.databricks.delta.snapshotPartitions': '1',
    'spark.driver.memory': '1g',
    'spark.ui.enabled': 'false',
    'spark.ui.showConsoleProgress': 'false',
}
builder = SparkSession.builder.master('local[1]')
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
log = spark._jvm.org.apache.spark.sql.delta.DeltaLog
asked = json.load(sys.stdin)
types, positions = {}, {}
for name, path in asked['tables'].items():
    frame = spark.read.format('delta').load(path)
    frame.createOrReplaceTempView(name)
    types[name] = dict(frame.dtypes)
    marks = log.forTable(spark._jsparkSession, path).unsafeVolatileSnapshot().setTransactions()
    found = [marks.apply(i) for i in range(marks.size())]
    positions[name] = {one.appId(): one.version() for one in found}
rows = [list(spark.sql(one).collect()[0]) for one in asked['statements']]
json.dump({'types': types, 'positions': positions, 'rows': rows}, sys.stdout)
`
