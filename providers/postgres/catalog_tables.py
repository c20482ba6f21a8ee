"""What the catalog says of tables, and of all that hangs on them, as SQL.

Each query gives rows of (class, id, sub, kind, name, definition): where a comment on the object
would be found, and the object in words. It reads ``relations``, which
`providers.postgres.fingerprint` puts before it: the tables, views, sequences and composite
types that are looked at, with their names.

Names come from types such as regclass, which leave out a schema that is on the search path.
Of pg_get_indexdef and its like only the "pretty" form does so, hence ``true``.
"""

# ruff: noqa: S608 - all of it is ours: nothing that a caller gives is put into it

from __future__ import annotations

_SINCE_COMPRESSION = 14
_SINCE_NAMED_NOT_NULL = 18


def sorted_options(column: str, word: str) -> str:
    """Return SQL for an array of options; the catalog keeps the order in which they were set."""
    return f"""CASE WHEN {column} IS NOT NULL THEN
                (SELECT ', {word} (' || string_agg(o, ', ' ORDER BY o COLLATE "C") || ')'
                   FROM unnest({column}) AS o) END"""


def _tablespace(oid: str) -> str:
    return f"(SELECT ', tablespace ' || quote_ident(spcname) FROM pg_tablespace WHERE oid = {oid})"


def _access_method(oid: str) -> str:
    """Return SQL for an access method where it is not the usual one."""
    return f"""(SELECT ', using ' || quote_ident(amname)
                  FROM pg_am WHERE oid = {oid} AND amname <> 'heap')"""


def _parents(oid: str) -> str:
    return f"""(SELECT string_agg(h.inhparent::regclass::text, ', ' ORDER BY h.inhseqno)
                  FROM pg_inherits h WHERE h.inhrelid = {oid})"""


def _marked_index(mark: str, word: str) -> str:
    return f"""(SELECT ', {word} ' || i.indexrelid::regclass
                  FROM pg_index i WHERE i.indrelid = r.oid AND i.{mark})"""


_STORED = f"""
    {sorted_options("r.reloptions", "with")},
    {sorted_options("t.reloptions", "toast with")},
    {_access_method("r.relam")},
    {_tablespace("r.reltablespace")},
    {_marked_index("indisclustered", "clustered on")}
"""

_TABLES = f"""
    SELECT 'pg_class'::regclass, r.oid, 0, 'table', r.name, concat(
           CASE WHEN r.relkind = 'f' THEN 'foreign'
                WHEN r.relpersistence = 'u' THEN 'unlogged' ELSE 'permanent' END,
           CASE WHEN r.reloftype <> 0 THEN ', of type ' || r.reloftype::regtype END,
           CASE WHEN r.relkind = 'p' THEN ', partitioned by ' || pg_get_partkeydef(r.oid) END,
           CASE WHEN r.relispartition THEN ', partition of ' ELSE ', inherits ' END
                || {_parents("r.oid")},
           ' ' || pg_get_expr(r.relpartbound, r.oid, true),
           {_STORED},
           CASE WHEN r.relrowsecurity THEN ', row security' END,
           CASE WHEN r.relforcerowsecurity THEN ', row security forced' END,
           CASE r.relreplident WHEN 'f' THEN ', replica identity full'
                               WHEN 'n' THEN ', replica identity nothing' END,
           {_marked_index("indisreplident", "replica identity using index")},
           (SELECT concat(', server ', quote_ident(s.srvname),
                          {sorted_options("f.ftoptions", "options")})
              FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver
             WHERE f.ftrelid = r.oid))
      FROM relations r LEFT JOIN pg_class t ON t.oid = r.reltoastrelid
     WHERE r.relkind IN ('r', 'p', 'f')
"""

_VIEWS = f"""
    SELECT 'pg_class'::regclass, r.oid, 0, 'view', r.name, concat(
           CASE r.relkind WHEN 'm' THEN 'materialized: ' END) ||
           rtrim(btrim(pg_get_viewdef(r.oid, true)), ';') || concat({_STORED})
      FROM relations r LEFT JOIN pg_class t ON t.oid = r.reltoastrelid
     WHERE r.relkind IN ('v', 'm')
"""

_SEQUENCES = """
    SELECT 'pg_class'::regclass, r.oid, 0, 'sequence', r.name, concat(
           format_type(s.seqtypid, NULL), ' from ', s.seqmin, ' to ', s.seqmax,
           ', start ', s.seqstart, ', increment ', s.seqincrement,
           ', cache ', s.seqcache,
           CASE WHEN s.seqcycle THEN ', cycle' END,
           CASE WHEN r.relpersistence = 'u' THEN ', unlogged' END,
           CASE d.deptype WHEN 'i' THEN ', identity of ' ELSE ', owned by ' END
                || a.attrelid::regclass || '.' || quote_ident(a.attname))
      FROM relations r
      JOIN pg_sequence s ON s.seqrelid = r.oid
      LEFT JOIN pg_depend d
             ON d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.objsubid = 0
            AND d.deptype IN ('a', 'i')
            AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
"""

# Not the number of a column but the one before it: dropping one leaves all others as they are.
_COLUMNS = """
    SELECT 'pg_class'::regclass, r.oid, a.attnum, 'column',
           r.name || '.' || quote_ident(a.attname), concat(
           format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation <> t.typcollation
                THEN ' collate ' || a.attcollation::regcollation END,
           CASE WHEN a.attnotnull THEN ' not null' END,
           CASE a.attgenerated WHEN '' THEN ' default ' WHEN 's' THEN ' generated stored as '
                               ELSE ' generated virtual as ' END
                || pg_get_expr(d.adbin, d.adrelid, true),
           CASE a.attidentity WHEN 'a' THEN ' generated always as identity'
                              WHEN 'd' THEN ' generated by default as identity' END,
           CASE WHEN a.attstorage <> t.typstorage THEN ', storage ' ||
                CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external'
                                  WHEN 'm' THEN 'main' ELSE 'extended' END END,
           {compression}
           CASE WHEN a.attstattarget >= 0 THEN ', statistics ' || a.attstattarget END,
           {options}, {fdw_options},
           CASE WHEN NOT a.attislocal THEN ', inherited' END,
           ', after '
                || lag(quote_ident(a.attname)) OVER (PARTITION BY a.attrelid ORDER BY a.attnum))
      FROM relations r
      JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE r.relkind <> 'S'
"""

_COMPRESSION = """CASE a.attcompression WHEN 'p' THEN ', compression pglz'
                                        WHEN 'l' THEN ', compression lz4' END,"""

_INDEX_REST = f"""
    {_tablespace("x.reltablespace")},
    CASE WHEN x.relispartition THEN ', partition of ' || {_parents("x.oid")} END,
    (SELECT ', statistics (' || string_agg(s.attnum || ': ' || s.attstattarget, ', '
                                           ORDER BY s.attnum) || ')'
       FROM pg_attribute s WHERE s.attrelid = x.oid AND s.attstattarget >= 0),
    CASE WHEN NOT i.indisvalid THEN ', invalid' END
"""

# An index that belongs to a constraint is told with it.
_INDEXES = f"""
    SELECT 'pg_class'::regclass, x.oid, 0, 'index', x.oid::regclass::text,
           pg_get_indexdef(x.oid, 0, true) || concat({_INDEX_REST})
      FROM relations r
      JOIN pg_index i ON i.indrelid = r.oid
      JOIN pg_class x ON x.oid = i.indexrelid
     WHERE NOT EXISTS (SELECT FROM pg_constraint c
                        WHERE c.conrelid = i.indrelid AND c.conindid = i.indexrelid
                          AND c.contype IN ('p', 'u', 'x'))
"""

# What a table or partition merely inherits is told of its parent.
_CONSTRAINTS = f"""
    SELECT 'pg_constraint'::regclass, c.oid, 0, 'constraint',
           r.name || '.' || quote_ident(c.conname),
           pg_get_constraintdef(c.oid, true) || concat({_INDEX_REST},
                  ', comment on its index '
                       || quote_literal(obj_description(x.oid, 'pg_class')))
      FROM relations r
      JOIN pg_constraint c ON c.conrelid = r.oid
      LEFT JOIN pg_index i ON i.indexrelid = c.conindid AND c.contype IN ('p', 'u', 'x')
      LEFT JOIN pg_class x ON x.oid = i.indexrelid
     WHERE c.contype <> 't' AND (c.contype IN ('p', 'u', 'x') OR c.conislocal)
       AND (c.contype <> 'f' OR c.conparentid = 0)
"""

# Every NOT NULL has a name there. It says nothing where the server gave it.
_NAMED_NOT_NULL = """
       AND (c.contype <> 'n' OR NOT c.convalidated OR c.connoinherit
            OR c.conname <> (SELECT concat(r.relname, '_', a.attname, '_not_null')
                               FROM pg_attribute a
                              WHERE a.attrelid = r.oid AND a.attnum = c.conkey[1]))
"""

_ENABLED = """CASE {column} WHEN 'D' THEN ', disabled' WHEN 'R' THEN ', enabled on replicas'
                            WHEN 'A' THEN ', enabled always' END"""

# Those of a partition are told of its parent, unless somebody switched one of them.
_TRIGGERS = f"""
    SELECT 'pg_trigger'::regclass, t.oid, 0, 'trigger', r.name || '.' || quote_ident(t.tgname),
           pg_get_triggerdef(t.oid, true) || concat({_ENABLED.format(column="t.tgenabled")})
      FROM relations r
      JOIN pg_trigger t ON t.tgrelid = r.oid
      LEFT JOIN pg_trigger p ON p.oid = t.tgparentid
     WHERE (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0)
       AND t.tgenabled IS DISTINCT FROM p.tgenabled
"""

_RULES = f"""
    SELECT 'pg_rewrite'::regclass, w.oid, 0, 'rule', r.name || '.' || quote_ident(w.rulename),
           pg_get_ruledef(w.oid, true) || concat({_ENABLED.format(column="w.ev_enabled")})
      FROM relations r JOIN pg_rewrite w ON w.ev_class = r.oid
     WHERE w.rulename <> '_RETURN'
"""

_POLICIES = """
    SELECT 'pg_policy'::regclass, p.oid, 0, 'policy', r.name || '.' || quote_ident(p.polname),
           concat(CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
                  CASE p.polcmd WHEN 'r' THEN ' for select' WHEN 'a' THEN ' for insert'
                                WHEN 'w' THEN ' for update' WHEN 'd' THEN ' for delete'
                                ELSE ' for all' END,
                  (SELECT ' to ' || string_agg(pg_get_userbyid(o), ', '
                                               ORDER BY pg_get_userbyid(o) COLLATE "C")
                     FROM unnest(p.polroles) AS o WHERE o <> 0),
                  ' using (' || pg_get_expr(p.polqual, p.polrelid, true) || ')',
                  ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid, true) || ')')
      FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
"""

# pg_get_statisticsobjdef names the schema always; the name is told beside it.
_STATISTICS = """
    SELECT 'pg_statistic_ext'::regclass, e.oid, 0, 'statistics',
           s.prefix || quote_ident(e.stxname),
           concat(substr(pg_get_statisticsobjdef(e.oid),
                         1 + length(format('CREATE STATISTICS %I.%I ', s.nspname, e.stxname))),
                  CASE WHEN e.stxstattarget >= 0 THEN ', statistics ' || e.stxstattarget END)
      FROM spaces s JOIN pg_statistic_ext e ON e.stxnamespace = s.oid
"""


def table_queries(major: int) -> list[str]:
    """Return the queries for what most schemas hold, on a server of that major version."""
    return [
        _TABLES,
        _VIEWS,
        _SEQUENCES,
        _columns(major),
        _INDEXES,
        _CONSTRAINTS + (_NAMED_NOT_NULL if major >= _SINCE_NAMED_NOT_NULL else ""),
        _TRIGGERS,
        _RULES,
    ]


def _columns(major: int) -> str:
    return _COLUMNS.format(
        compression=_COMPRESSION if major >= _SINCE_COMPRESSION else "",
        options=sorted_options("a.attoptions", "with"),
        fdw_options=sorted_options("a.attfdwoptions", "options"),
    )


#: For what few schemas hold.
RARE_TABLE_QUERIES = (_POLICIES, _STATISTICS)
