"""Types of SQLAlchemy, and their names on Databricks."""

from __future__ import annotations

#: SQLAlchemy's type -> its name; a text in brackets is why there is none.
TYPES = {
    "Uuid()": "STRING",
    "UUID()": "STRING",
    "String(50)": "STRING",
    "Text()": "STRING",
    "Unicode(50)": "STRING",
    "CLOB()": "STRING",
    "NVARCHAR(50)": "STRING",
    "VARCHAR(50)": "VARCHAR(50)",
    "VARCHAR()": "STRING",
    'Enum("a", "b", name="e")': "STRING",
    "Time()": "STRING",
    "DateTime(timezone=True)": "TIMESTAMP",
    "TIMESTAMP(timezone=True)": "TIMESTAMP",
    "DateTime()": "TIMESTAMP_NTZ",
    "DATETIME()": "TIMESTAMP_NTZ",
    "Date()": "DATE",
    "SmallInteger()": "SMALLINT",
    "Integer()": "INT",
    "BigInteger()": "BIGINT",
    "Boolean()": "BOOLEAN",
    "Float()": "DOUBLE",
    "Float(24)": "FLOAT",
    "REAL()": "REAL",
    "Double()": "DOUBLE",
    "DOUBLE_PRECISION()": "DOUBLE",
    "Numeric(10, 2)": "DECIMAL(10,2)",
    "LargeBinary()": "BINARY",
    "BINARY(16)": "BINARY",
    "ARRAY(sa.Integer())": "ARRAY<INT>",
    "ARRAY(sa.Integer(), dimensions=2)": "ARRAY<ARRAY<INT>>",
    "VARCHAR(70000)": "(VARCHAR(70000) is longer than 65535; sa.Text() has no end)",
    "Numeric(40, 2)": "(NUMERIC(40, 2) has no counterpart: a DECIMAL has 38 digits at most, and no "
    "more than these behind the point)",
    "Numeric()": "(a NUMERIC without precision would be DECIMAL(10,0), which keeps no fraction; "
    "give precision and scale)",
    "Interval()": "(a table cannot hold an INTERVAL; keep seconds in a number)",
    "JSON()": "STRING",
}
