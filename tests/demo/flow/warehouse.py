"""Access to the warehouse, shared by flows: a module that lies next to them.

**Invariant**: every connection goes through ODBC, by the name that the environment gives.
"""

import os

import pyodbc

ORDERS = [("north", 120), ("south", 80), ("north", 45), ("west", 230)]


def connect():
    """Connects to the data source of odbc.ini that WAREHOUSE_DSN names."""
    return pyodbc.connect("DSN={}".format(os.environ["WAREHOUSE_DSN"]))


def seed():
    """Fills the source table anew."""
    connection = connect()
    connection.execute("DROP TABLE IF EXISTS orders")
    connection.execute("CREATE TABLE orders (region TEXT NOT NULL, amount INTEGER NOT NULL)")
    connection.cursor().executemany("INSERT INTO orders VALUES (?, ?)", ORDERS)
    connection.commit()
    connection.close()
