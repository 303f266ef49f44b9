"""Revenue by region, from one table of the warehouse to another.

It needs what the recipe names: a database driver, C bindings, a configuration file, environment
variables, a changed openssl.cnf and a module of our own. Each proves itself when the flow runs.

**Invariant**: the flow ends in success only if everything it was built with is in effect.
"""

import os
import ssl

import psycopg2
import pyodbc
from prefect import Flow, task

import warehouse


@task
def prove_environment():
    """Says which of the awkward dependencies are here, and fails if one is not."""
    with open("/proc/self/maps") as maps:
        loaded = {line.split()[-1] for line in maps if ".so" in line}
    context = ssl.create_default_context()
    oldest = ssl.TLSVersion(context.minimum_version).name
    facts = {
        "helper module": warehouse.__file__,
        "environment": "WAREHOUSE_DSN={}".format(os.environ["WAREHOUSE_DSN"]),
        "pyodbc": "{} on {}".format(pyodbc.version, library("libodbc.so", loaded)),
        "psycopg2": "libpq {} on {}".format(
            psycopg2.__libpq_version__, library("libpq.so", loaded)
        ),
        "openssl.cnf": "oldest {}, security level {}".format(oldest, context.security_level),
    }
    for name, fact in facts.items():
        print("{:<14} {}".format(name, fact))
    if (oldest, context.security_level) != ("TLSv1", 1):
        raise RuntimeError("openssl.cnf is not in effect")


def library(name, loaded):
    """Returns the path of a shared library that this process has loaded."""
    return next(path for path in sorted(loaded) if os.path.basename(path).startswith(name))


@task
def extract():
    """Reads the orders through ODBC."""
    warehouse.seed()
    connection = warehouse.connect()
    rows = connection.execute("SELECT region, amount FROM orders").fetchall()
    connection.close()
    return [tuple(row) for row in rows]


@task
def transform(orders):
    """Adds up the amounts of each region."""
    totals = {}
    for region, amount in orders:
        totals[region] = totals.get(region, 0) + amount
    return sorted(totals.items())


@task
def load(totals):
    """Writes the totals through ODBC and reads them back."""
    connection = warehouse.connect()
    connection.execute("DROP TABLE IF EXISTS revenue")
    connection.execute("CREATE TABLE revenue (region TEXT PRIMARY KEY, amount INTEGER)")
    connection.cursor().executemany("INSERT INTO revenue VALUES (?, ?)", totals)
    connection.commit()
    for region, amount in connection.execute("SELECT * FROM revenue ORDER BY region"):
        print("{:<14} {}".format(region, amount))
    connection.close()


with Flow("Nightly revenue") as flow:
    proven = prove_environment()
    orders = extract(upstream_tasks=[proven])
    load(transform(orders))
