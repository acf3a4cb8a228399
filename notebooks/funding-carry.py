# %% [markdown]
# # What does funding pay, venue against venue?
#
# The Python twin of `funding-carry.ipynb`: the same lake, the same views of `sql/lake/views.sql`, the same number. It asks
# the Delta tables for their committed files (delta-rs), so it reads what kt reads, and nothing that a crash left behind.
#
#     pip install duckdb deltalake pandas pytz    # matplotlib too, for the charts
#     python notebooks/funding-carry.py        # the lake of the last run, or that of KT_LAKE
#
# In VS Code and Jupyter (with jupytext) each `# %%` is a cell.

# %%
import os
import re
from pathlib import Path

import duckdb
from deltalake import DeltaTable

project = Path(__file__).resolve().parent.parent


def lake_folder() -> Path:
    """KT_LAKE, or the lake of the last run that was started from this project."""
    if "KT_LAKE" in os.environ:
        return Path(os.environ["KT_LAKE"])
    last = project / "data" / "last-run"
    if not last.exists():
        raise SystemExit("there is no run to look at: start one with npm start, or set KT_LAKE to the folder of a lake")
    return Path(last.read_text()) / "lake"


def open_lake(folder: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB over the committed files of every table, with kt's views. A view of a table that is not there is left out."""
    lake = duckdb.connect()
    lake.execute("SET TimeZone = 'UTC'")
    for log in sorted(folder.glob("*/_delta_log")):
        files = DeltaTable(str(log.parent)).file_uris()
        if not files:
            continue
        listed = ", ".join("'" + file.removeprefix("file://").replace("'", "''") + "'" for file in files)
        dated = "hive_partitioning = true, hive_types = {'dt': DATE}, union_by_name = true"
        lake.execute(f'CREATE VIEW "{log.parent.name}" AS SELECT * FROM read_parquet([{listed}], {dated})')
    for statement in re.split(r";\s*\n", (project / "sql" / "lake" / "views.sql").read_text()):
        try:
            lake.execute(statement)
        except duckdb.CatalogException as missing:
            view = re.search(r"(?:VIEW|MACRO) (\w+)", statement)
            print(f"left out: {view[1] if view else statement}, because {str(missing).splitlines()[0]}")
    return lake


lake = open_lake(lake_folder())
print(
    lake.sql("""
    SELECT count(DISTINCT pair_of(instrument)) AS pairs, count(DISTINCT venue) AS venues, min(time) AS since, max(time) AS until
    FROM (SELECT instrument, venue, time FROM funding UNION ALL SELECT perp, split_part(perp, ':', 1), time FROM basis)""").df()
)

# %% [markdown]
# ## What is left after the basis
#
# Short the dear perpetual, be long the cheaper one, or the coin. Open at the last proven basis of both legs, hold for thirty
# days at today's rates, close both legs at spot.

# %%
days = 30
net = lake.sql(f"""
    WITH spread AS (
      SELECT perp, reference, arg_max(bps, {{r: received, o: _off, w: _row}}) AS bps
      FROM basis WHERE kind = 'spot-perp' AND state = 'live' GROUP BY ALL
    ), leg AS (
      SELECT perp AS instrument, reference AS spot, bps FROM spread UNION ALL SELECT DISTINCT reference, reference, 0 FROM spread
    ), carry AS (
      SELECT c.pair, c.short, c.long, c.carry_apr * 100 AS carry, c.carry_per_hour * 24 * {days} * 10000 AS funding, s.bps - l.bps AS basis
      FROM funding_carry AS c
      JOIN leg AS s ON s.instrument = c.short
      JOIN leg AS l ON l.instrument = c.long AND l.spot = s.spot
    )
    SELECT pair, short, long, round(carry, 2) AS carry_percent, round(funding, 2) AS funding_bps, round(basis, 2) AS basis_bps,
      round(funding + basis, 2) AS net_bps
    FROM carry
    QUALIFY row_number() OVER (PARTITION BY pair ORDER BY funding + basis DESC, short, long) = 1
    ORDER BY net_bps DESC, pair
    LIMIT 10""").df()
print(net.to_string(index=False))

# %% [markdown]
# ## Is it lasting?
#
# The basis to spot of the three best pairs. Where a book has a gap or a leg is silent, there is no line.

# %%
try:
    import matplotlib.dates as dates
    import matplotlib.pyplot as plt
except ImportError:
    print("no chart: matplotlib is not installed")
else:
    best = list(net["pair"][:3])
    ((seconds,),) = lake.sql("SELECT greatest(1, CAST(ceil(epoch(max(time) - min(time)) / 100) AS INTEGER)) FROM basis").fetchall()
    figure, axes = plt.subplots(1, max(1, len(best)), figsize=(10, 3), sharex=True, sharey=True, squeeze=False)
    for axis, pair in zip(axes[0], best):
        lines = lake.execute(
            f"""SELECT start, split_part(perp, ':', 1) AS venue, bps_mean AS bps FROM basis_history({seconds})
            WHERE kind = 'spot-perp' AND pair = $1
              AND reference = (SELECT min(reference) FROM basis WHERE kind = 'spot-perp' AND pair = $1)
            ORDER BY start""",
            [pair],
        ).fetchall()
        for venue in sorted({venue for _, venue, _ in lines}):
            drawn = [(start, bps) for start, which, bps in lines if which == venue]
            axis.plot([start for start, _ in drawn], [float("nan") if bps is None else bps for _, bps in drawn], label=venue)
        axis.set_title(pair, fontsize=10)
        axis.axhline(0, color="black", linewidth=0.8)
        locator = dates.AutoDateLocator(maxticks=4)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz="UTC"))
    axes[0][0].set_ylabel("basis to spot, basis points")
    axes[0][-1].legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig("funding-carry.png", dpi=120)
    print("funding-carry.png")

# %% [markdown]
# ## The answer
#
# The best carry after basis, in basis points of the position for thirty days, before fees and margin.

# %%
print("answer", net["net_bps"][0])
