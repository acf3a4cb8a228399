// Talks to kt's embedded ClickHouse with clickhouse-go over HTTP: go run . HOST PORT USER PASSWORD. Prints one line a check.
package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

var failed = false

func check(name string, expected any, found any, err error) {
	if err == nil && reflect.DeepEqual(expected, found) {
		fmt.Println("ok", name)
		return
	}
	failed = true
	fmt.Printf("FAIL %s: expected %v, found %v, error %v\n", name, expected, found, err)
}

func open(compression clickhouse.CompressionMethod) (driver.Conn, error) {
	return clickhouse.Open(&clickhouse.Options{
		Addr:        []string{os.Args[1] + ":" + os.Args[2]},
		Protocol:    clickhouse.HTTP,
		Auth:        clickhouse.Auth{Database: "kt", Username: os.Args[3], Password: os.Args[4]},
		Compression: &clickhouse.Compression{Method: compression},
		DialTimeout: 5 * time.Second,
	})
}

func all(label string, compression clickhouse.CompressionMethod) {
	ctx := context.Background()
	client, err := open(compression)
	if err != nil {
		check(label+" open", nil, nil, err)
		return
	}
	var version string
	var number uint64
	err = client.QueryRow(ctx, "SELECT version(), 42::UInt64").Scan(&version, &number)
	check(label+" query", uint64(42), number, err)
	check(label+" ping", nil, nil, client.Ping(ctx))
	err = client.Exec(ctx, `CREATE OR REPLACE TABLE go (id UInt64, name LowCardinality(String), time DateTime64(6, 'UTC'),
		sizes Array(Float64), side Enum8('buy' = 1, 'sell' = 2), maybe Nullable(Float64), tags Map(String, UInt8))
		ENGINE = MergeTree ORDER BY id`)
	check(label+" table", nil, nil, err)
	batch, err := client.PrepareBatch(ctx, "INSERT INTO go")
	check(label+" batch", nil, nil, err)
	if err != nil {
		return
	}
	at := time.UnixMicro(1760000000123456).UTC()
	half := 0.5
	for n := 0; n < 1000; n++ {
		err = batch.Append(uint64(n), fmt.Sprint("s", n%3), at, []float64{1, 2.5}, "sell", &half, map[string]uint8{"a": 1})
		if err != nil {
			break
		}
	}
	check(label+" append", nil, nil, err)
	check(label+" send", nil, nil, batch.Send())
	var count, distinct uint64
	err = client.QueryRow(ctx, "SELECT count(), uniq(name) FROM go").Scan(&count, &distinct)
	check(label+" count", []uint64{1000, 3}, []uint64{count, distinct}, err)
	var name, side string
	var back time.Time
	var sizes []float64
	var maybe *float64
	var tags map[string]uint8
	row := client.QueryRow(ctx, "SELECT name, time, sizes, side, maybe, tags FROM go WHERE id = 999")
	err = row.Scan(&name, &back, &sizes, &side, &maybe, &tags)
	check(label+" types", "s0 1760000000123456 [1 2.5] sell 0.5 map[a:1]", fmt.Sprint(name, " ", back.UnixMicro(), " ", sizes, " ", side, " ", value(maybe), " ", tags), err)
	rows, err := client.Query(ctx, "SELECT number, toString(number) FROM numbers(300000)")
	total := 0
	for err == nil && rows.Next() {
		total++
	}
	if err == nil {
		err = rows.Err()
	}
	check(label+" stream", 300000, total, err)
	err = client.Exec(ctx, "SELECT nope")
	check(label+" error", true, err != nil, nil)
}

func value(pointer *float64) float64 {
	if pointer == nil {
		return -1
	}
	return *pointer
}

func main() {
	all("none", clickhouse.CompressionNone)
	all("gzip", clickhouse.CompressionGZIP)
	all("deflate", clickhouse.CompressionDeflate)
	all("brotli", clickhouse.CompressionBrotli)
	// Compressed blocks of the native protocol are understood, or refused with a sentence: not garbage.
	client, err := open(clickhouse.CompressionLZ4)
	if err == nil {
		err = client.Ping(context.Background())
	}
	check("lz4 blocks", true, err == nil || strings.Contains(err.Error(), "compress=1"), nil)
	if failed {
		os.Exit(1)
	}
}
