"""What of a database's catalog a fingerprint vouches for: names, and nothing else.

A step that has looked at these is replayed where the fingerprint of the target is that of
the shadow. All else that a catalog tells (sizes, owners, privileges, roles, settings, what
goes on) may differ between the two although their fingerprints are equal.
"""

from __future__ import annotations

#: Tables and views of pg_catalog that tell of the schema.
PG_CATALOG = frozenset(
    f"pg_{name}"
    for name in [
        "aggregate",
        "am",
        "amop",
        "amproc",
        "attrdef",
        "attribute",
        "cast",
        "class",
        "collation",
        "constraint",
        "conversion",
        "depend",
        "description",
        "enum",
        "event_trigger",
        "extension",
        "foreign_data_wrapper",
        "foreign_server",
        "foreign_table",
        "index",
        "indexes",
        "inherits",
        "language",
        "matviews",
        "namespace",
        "opclass",
        "operator",
        "opfamily",
        "partitioned_table",
        "policies",
        "policy",
        "proc",
        "publication",
        "publication_rel",
        "publication_tables",
        "range",
        "rewrite",
        "rules",
        "sequence",
        "statistic_ext",
        "tables",
        "tablespace",
        "transform",
        "trigger",
        "ts_config",
        "ts_config_map",
        "ts_dict",
        "ts_parser",
        "ts_template",
        "type",
        "views",
    ]
)

#: Those of them whose objects belong to no schema, or come with the server.
WITHOUT_SCHEMA = frozenset({"pg_am", "pg_opclass", "pg_tablespace"})

#: Views of information_schema that do.
INFORMATION_SCHEMA = frozenset(
    [
        "attributes",
        "check_constraints",
        "column_domain_usage",
        "column_udt_usage",
        "columns",
        "constraint_column_usage",
        "constraint_table_usage",
        "domain_constraints",
        "domains",
        "element_types",
        "key_column_usage",
        "parameters",
        "referential_constraints",
        "routines",
        "schemata",
        "sequences",
        "table_constraints",
        "tables",
        "triggered_update_columns",
        "triggers",
        "user_defined_types",
        "view_column_usage",
        "view_routine_usage",
        "view_table_usage",
        "views",
    ]
)

#: Columns of these that do not.
SHIFTING_COLUMNS = frozenset(
    [
        "attacl",
        "attstattarget",
        "conowner",
        "datacl",
        "defaclacl",
        "extowner",
        "last_value",
        "nspacl",
        "nspowner",
        "opcowner",
        "oprowner",
        "opfowner",
        "polroles",
        "proacl",
        "proowner",
        "relacl",
        "relallvisible",
        "relfilenode",
        "relfrozenxid",
        "relhasindex",
        "relminmxid",
        "relowner",
        "relpages",
        "reltuples",
        "schema_owner",
        "schemaowner",
        "sequenceowner",
        "spcacl",
        "spcowner",
        "tableowner",
        "typacl",
        "typowner",
        "viewowner",
        "matviewowner",
        "xmin",
    ]
)

#: Columns that name the database itself; to compare them with it is no harm.
DATABASE_COLUMNS = frozenset(
    f"{kind}_catalog"
    for kind in [
        "catalog",
        "constraint",
        "domain",
        "object",
        "routine",
        "sequence",
        "specific",
        "table",
        "trigger",
        "udt",
        "unique_constraint",
        "user_defined_type",
        "view",
        "event_object",
    ]
) | {"catalog_name"}

#: Functions that only tell of these, or compute from what they are given.
TELLING = frozenset(
    [
        "array_length",
        "array_position",
        "array_to_string",
        "bool_and",
        "bool_or",
        "btrim",
        "cardinality",
        "col_description",
        "current_schema",
        "current_schemas",
        "format",
        "format_type",
        "generate_subscripts",
        "initcap",
        "json_agg",
        "json_array_elements",
        "json_array_elements_text",
        "json_build_array",
        "json_build_object",
        "json_object_agg",
        "jsonb_agg",
        "jsonb_array_elements",
        "jsonb_array_elements_text",
        "jsonb_build_array",
        "jsonb_build_object",
        "jsonb_object_agg",
        "jsonb_typeof",
        "ltrim",
        "obj_description",
        "quote_ident",
        "quote_literal",
        "row_to_json",
        "rtrim",
        "shobj_description",
        "string_to_array",
        "to_json",
        "to_jsonb",
        "to_regclass",
        "to_regnamespace",
        "to_regproc",
        "to_regtype",
    ]
)

#: How the names of others of these begin and end.
TELLING_BEGINNING, TELLING_END = "pg_get_", "_is_visible"

#: Settings that are the same wherever a plan is replayed.
SETTLED = frozenset(
    {"transaction isolation level", "transaction_isolation", "standard_conforming_strings"}
    | {"default_table_access_method"}
)
