"""Talks to kt's embedded ClickHouse with clickhouse-connect: python chdb-python.py HOST PORT USER PASSWORD. Prints one line a check."""
import datetime
import decimal
import sys

import clickhouse_connect

host, port, user, password = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
failed = 0


def check(name, expected, run):
    global failed
    try:
        found = run()
    except Exception as error:  # every failure is a result here
        found = f"{type(error).__name__}: {str(error)[:200]}"
    if found != expected:
        failed += 1
    print("ok" if found == expected else "FAIL", name, "" if found == expected else f"expected {expected!r}, found {found!r}")


def connect(**more):
    return clickhouse_connect.get_client(host=host, port=port, username=user, password=password, database="kt", **more)


def error_of(run):
    try:
        run()
    except Exception as error:
        return type(error).__name__
    return "nothing"


def sum_rows(client):
    with client.query_row_block_stream("SELECT number FROM numbers(1000000)") as stream:
        return sum(len(block) for block in stream)


for compress in (False, True, "gzip", "zstd"):
    client = connect(compress=compress)
    label = f"compress={compress}"
    check(f"{label} query", [(1, None, "x")], lambda: client.query("SELECT 1::UInt64, NULL::Nullable(Int8), 'x'").result_rows)
    client.command("CREATE OR REPLACE TABLE py (id UInt64, price Decimal(38, 18), time DateTime64(6, 'UTC'), "
                   "name LowCardinality(String), sizes Array(Float64), side Enum8('buy' = 1, 'sell' = 2)) ENGINE = MergeTree ORDER BY id")
    time = datetime.datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=datetime.timezone.utc)
    rows = [[n, decimal.Decimal("1.25"), time, f"s{n % 3}", [1.0, 2.5], "sell"] for n in range(50_000)]
    names = ["id", "price", "time", "name", "sizes", "side"]
    check(f"{label} insert", 50_000, lambda: client.insert("py", rows, column_names=names).written_rows)
    row = (49_999, decimal.Decimal("1.25"), time.replace(tzinfo=None), "s1", [1.0, 2.5], "sell")

    def last():
        found = list(client.query("SELECT * FROM py ORDER BY id DESC LIMIT 1").result_rows[0])
        found[2] = found[2].replace(tzinfo=None)
        return tuple(found)

    check(f"{label} types", row, last)
    check(f"{label} empty result", [], lambda: client.query("SELECT * FROM py WHERE id > 1000000").result_rows)
    check(f"{label} stream", 1_000_000, lambda: sum_rows(client))


client = connect()
check("version", True, lambda: client.server_version.startswith("2"))
check("parameters", [(42, ["a'b", "\\"])], lambda: client.query("SELECT {n:Int32} + 1, {a:Array(String)}", parameters={"n": 41, "a": ["a'b", "\\"]}).result_rows)
check("settings", [(3,)], lambda: client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3}).result_rows)
check("error type", "DatabaseError", lambda: error_of(lambda: client.query("SELECT nope")))
check("wrong password", "DatabaseError", lambda: error_of(lambda: clickhouse_connect.get_client(host=host, port=port, username=user, password="nope")))


def temporary():
    client.command("CREATE TEMPORARY TABLE session_table (a UInt8)")
    client.insert("session_table", [[1], [2]], column_names=["a"])
    return client.query("SELECT sum(a) FROM session_table").result_rows


check("session with a temporary table", [(3,)], temporary)
try:
    import pyarrow  # noqa: F401
    check("arrow", 1000, lambda: client.query_arrow("SELECT * FROM py LIMIT 1000").num_rows)
    check("arrow insert", True, lambda: client.insert_arrow("py", client.query_arrow("SELECT * FROM py LIMIT 10")).written_rows == 10)
except ImportError:
    print("skip arrow: pyarrow is not installed")
sys.exit(failed > 0)
