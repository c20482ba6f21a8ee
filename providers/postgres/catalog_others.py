"""What the catalog says of the rarer things, in schemas and beside them, as SQL.

The queries are like those of `providers.postgres.catalog_types`. An object whose id is below
16384 came with the server.
"""

# ruff: noqa: S608 - all of it is ours: nothing that a caller gives is put into it

from __future__ import annotations

from providers.postgres.catalog_tables import sorted_options
from providers.postgres.catalog_types import not_member

_SINCE_FILTERED_PUBLICATIONS = 15

_COLLATIONS = f"""
    SELECT 'pg_collation'::regclass, c.oid, 0, 'collation', c.oid::regcollation::text,
           (jsonb_strip_nulls(to_jsonb(c)) - '{{oid,collname,collnamespace,collowner,collversion}}'
            ::text[])::text
      FROM spaces s JOIN pg_collation c ON c.collnamespace = s.oid
     WHERE {not_member("pg_collation", "c.oid")}
"""

_CONVERSIONS = f"""
    SELECT 'pg_conversion'::regclass, c.oid, 0, 'conversion', s.prefix || quote_ident(c.conname),
           concat('for ', pg_encoding_to_char(c.conforencoding),
                  ' to ', pg_encoding_to_char(c.contoencoding), ' by ', c.conproc,
                  CASE WHEN c.condefault THEN ', default' END)
      FROM spaces s JOIN pg_conversion c ON c.connamespace = s.oid
     WHERE {not_member("pg_conversion", "c.oid")}
"""


def _visible(kind: str, alias: str, column: str, namespace: str) -> str:
    """Return SQL for a name, with its schema where that is not on the search path."""
    return f"""concat(CASE WHEN NOT pg_ts_{kind}_is_visible({alias}.oid)
                           THEN {namespace}::regnamespace || '.' END,
                      quote_ident({alias}.{column}))"""


_SEARCH_PARSERS = f"""
    SELECT 'pg_ts_parser'::regclass, p.oid, 0, 'text-search-parser',
           s.prefix || quote_ident(p.prsname),
           concat(p.prsstart, ', ', p.prstoken, ', ', p.prsend, ', ', p.prsheadline, ', ',
                  p.prslextype)
      FROM spaces s JOIN pg_ts_parser p ON p.prsnamespace = s.oid
     WHERE {not_member("pg_ts_parser", "p.oid")}
"""

_SEARCH_TEMPLATES = f"""
    SELECT 'pg_ts_template'::regclass, t.oid, 0, 'text-search-template',
           s.prefix || quote_ident(t.tmplname), concat(t.tmplinit, ', ', t.tmpllexize)
      FROM spaces s JOIN pg_ts_template t ON t.tmplnamespace = s.oid
     WHERE {not_member("pg_ts_template", "t.oid")}
"""

_SEARCH_DICTIONARIES = f"""
    SELECT 'pg_ts_dict'::regclass, d.oid, 0, 'text-search-dictionary',
           d.oid::regdictionary::text,
           concat('template ', {_visible("template", "t", "tmplname", "t.tmplnamespace")},
                  ', ' || d.dictinitoption)
      FROM spaces s
      JOIN pg_ts_dict d ON d.dictnamespace = s.oid
      JOIN pg_ts_template t ON t.oid = d.dicttemplate
     WHERE {not_member("pg_ts_dict", "d.oid")}
"""

_SEARCH_CONFIGURATIONS = f"""
    SELECT 'pg_ts_config'::regclass, c.oid, 0, 'text-search-configuration',
           c.oid::regconfig::text,
           concat('parser ', {_visible("parser", "p", "prsname", "p.prsnamespace")},
                  (SELECT ', ' || string_agg(concat(k.alias, ': ', m.mapdict::regdictionary), ', '
                                             ORDER BY k.alias COLLATE "C", m.mapseqno)
                     FROM pg_ts_config_map m
                     JOIN ts_token_type(c.cfgparser) k ON k.tokid = m.maptokentype
                    WHERE m.mapcfg = c.oid))
      FROM spaces s
      JOIN pg_ts_config c ON c.cfgnamespace = s.oid
      JOIN pg_ts_parser p ON p.oid = c.cfgparser
     WHERE {not_member("pg_ts_config", "c.oid")}
"""

_SCHEMAS = """
    SELECT 'pg_namespace'::regclass, s.oid, 0, 'schema', quote_ident(s.nspname), 'exists'
      FROM spaces s
"""

_ALL_EXTENSIONS = """
    SELECT 'pg_extension'::regclass, e.oid, 0, 'extension', quote_ident(e.extname),
           concat('version ', e.extversion, ', schema ', e.extnamespace::regnamespace)
      FROM pg_extension e
"""

_OWN_EXTENSIONS = """
    SELECT 'pg_extension'::regclass, e.oid, 0, 'extension', quote_ident(e.extname),
           concat('version ', e.extversion)
      FROM spaces s JOIN pg_extension e ON e.extnamespace = s.oid
"""

_CASTS = f"""
    SELECT 'pg_cast'::regclass, c.oid, 0, 'cast',
           concat(c.castsource::regtype, ' as ', c.casttarget::regtype),
           concat(CASE c.castmethod WHEN 'f' THEN 'by ' || c.castfunc::regprocedure
                                    WHEN 'i' THEN 'by input and output'
                                    ELSE 'without function' END,
                  CASE c.castcontext WHEN 'i' THEN ', implicit'
                                     WHEN 'a' THEN ', in assignments' END)
      FROM pg_cast c
     WHERE c.oid >= 16384 AND {not_member("pg_cast", "c.oid")}
       AND NOT EXISTS (SELECT FROM pg_depend d -- such as from a range to its multirange
                        WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid
                          AND d.deptype = 'i')
"""

_TRANSFORMS = f"""
    SELECT 'pg_transform'::regclass, t.oid, 0, 'transform',
           concat(t.trftype::regtype, ' for ', quote_ident(l.lanname)),
           concat('from ', t.trffromsql::regprocedure, ', to ', t.trftosql::regprocedure)
      FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang
     WHERE {not_member("pg_transform", "t.oid")}
"""

_LANGUAGES = f"""
    SELECT 'pg_language'::regclass, l.oid, 0, 'language', quote_ident(l.lanname),
           concat(CASE WHEN l.lanpltrusted THEN 'trusted, ' END,
                  'handler ', l.lanplcallfoid::regprocedure,
                  ', inline ', l.laninline::regprocedure,
                  ', validator ', l.lanvalidator::regprocedure)
      FROM pg_language l
     WHERE l.oid >= 16384 AND {not_member("pg_language", "l.oid")}
"""

_ACCESS_METHODS = f"""
    SELECT 'pg_am'::regclass, a.oid, 0, 'access-method', quote_ident(a.amname),
           concat(CASE a.amtype WHEN 't' THEN 'table' ELSE 'index' END, ', handler ', a.amhandler)
      FROM pg_am a
     WHERE a.oid >= 16384 AND {not_member("pg_am", "a.oid")}
"""

_FOREIGN_DATA_WRAPPERS = f"""
    SELECT 'pg_foreign_data_wrapper'::regclass, w.oid, 0, 'foreign-data-wrapper',
           quote_ident(w.fdwname),
           concat('handler ', w.fdwhandler::regprocedure,
                  ', validator ', w.fdwvalidator::regprocedure,
                  {sorted_options("w.fdwoptions", "options")})
      FROM pg_foreign_data_wrapper w
     WHERE {not_member("pg_foreign_data_wrapper", "w.oid")}
"""

# Some wrappers keep keys among the options of a server: only their hashes are told.
_SERVERS = f"""
    SELECT 'pg_foreign_server'::regclass, v.oid, 0, 'server', quote_ident(v.srvname),
           concat('wrapper ', quote_ident(w.fdwname), ', type ' || v.srvtype,
                  ', version ' || v.srvversion,
                  (SELECT ', options (' || string_agg(
                              concat(o.option_name, ' ', left(encode(sha256(
                                     convert_to(o.option_value, 'UTF8')), 'hex'), 12)), ', '
                              ORDER BY o.option_name COLLATE "C") || ')'
                     FROM pg_options_to_table(v.srvoptions) AS o))
      FROM pg_foreign_server v JOIN pg_foreign_data_wrapper w ON w.oid = v.srvfdw
     WHERE {not_member("pg_foreign_server", "v.oid")}
"""

_EVENT_TRIGGERS = f"""
    SELECT 'pg_event_trigger'::regclass, t.oid, 0, 'event-trigger', quote_ident(t.evtname),
           concat('on ', t.evtevent,
                  (SELECT ' when tag in (' || string_agg(quote_literal(tag), ', '
                                                         ORDER BY tag COLLATE "C") || ')'
                     FROM unnest(t.evttags) AS tag),
                  ' by ', t.evtfoid::regprocedure,
                  CASE t.evtenabled WHEN 'D' THEN ', disabled'
                                    WHEN 'R' THEN ', enabled on replicas'
                                    WHEN 'A' THEN ', enabled always' END)
      FROM pg_event_trigger t
     WHERE {not_member("pg_event_trigger", "t.oid")}
"""

_PUBLICATIONS = """
    SELECT 'pg_publication'::regclass, p.oid, 0, 'publication', quote_ident(p.pubname),
           concat((to_jsonb(p) - '{oid,pubname,pubowner}'::text[])::text,
                  (SELECT ', tables ' || string_agg(part, ', ' ORDER BY part COLLATE "C")
                     FROM (SELECT %(table)s AS part
                             FROM pg_publication_rel r WHERE r.prpubid = p.oid) AS parts)
                  %(schemas)s)
      FROM pg_publication p
"""

_PUBLISHED_TABLE = "r.prrelid::regclass::text"

_FILTERED_TABLE = """concat(r.prrelid::regclass,
    (SELECT ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
       FROM pg_attribute a
      WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])),
    ' where ' || pg_get_expr(r.prqual, r.prrelid, true))"""

_PUBLISHED_SCHEMAS = """,
    (SELECT ', schemas ' || string_agg(n.pnnspid::regnamespace::text, ', '
                                       ORDER BY n.pnnspid::regnamespace::text COLLATE "C")
       FROM pg_publication_namespace n WHERE n.pnpubid = p.oid)"""

# Everybody may read these columns, on every server; the rest is for superusers, or for some.
_SUBSCRIPTIONS = """
    SELECT 'pg_subscription'::regclass, 0::oid, 0, 'subscription', quote_ident(s.subname),
           concat(CASE WHEN s.subenabled THEN 'enabled, ' END,
                  'slot ', s.subslotname, ', publications ', s.subpublications)
      FROM pg_subscription s
     WHERE s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
"""

#: For what few schemas hold.
RARE_QUERIES = (
    _COLLATIONS,
    _CONVERSIONS,
    _SEARCH_PARSERS,
    _SEARCH_TEMPLATES,
    _SEARCH_DICTIONARIES,
    _SEARCH_CONFIGURATIONS,
)

#: For one schema of a database.
SCHEMA_QUERIES = (_OWN_EXTENSIONS,)

#: For a whole database.
DATABASE_QUERIES = (_ALL_EXTENSIONS, _SCHEMAS)


def rare_database_queries(major: int) -> list[str]:
    """Return the queries for what few databases hold, on a server of that major version."""
    filtered = major >= _SINCE_FILTERED_PUBLICATIONS
    publications = _PUBLICATIONS % {
        "table": _FILTERED_TABLE if filtered else _PUBLISHED_TABLE,
        "schemas": _PUBLISHED_SCHEMAS if filtered else "",
    }
    return [
        _CASTS,
        _TRANSFORMS,
        _LANGUAGES,
        _ACCESS_METHODS,
        _FOREIGN_DATA_WRAPPERS,
        _SERVERS,
        _EVENT_TRIGGERS,
        publications,
        _SUBSCRIPTIONS,
    ]
