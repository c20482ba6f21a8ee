"""What the catalog says of types, routines and operators, as SQL.

The queries are like those of `providers.postgres.catalog_tables`. They read ``spaces``, the
schemas that are looked at, and ``members``, what belongs to an extension.
"""

# ruff: noqa: S608 - all of it is ours: nothing that a caller gives is put into it

from __future__ import annotations

_SINCE_MULTIRANGES = 14
_SINCE_NAMED_NOT_NULL = 17


def not_member(catalog: str, oid: str) -> str:
    """Return a condition: the object does not belong to an extension."""
    return f"""NOT EXISTS (SELECT FROM members m
                            WHERE m.classid = '{catalog}'::regclass AND m.objid = {oid})"""


_ENUM = """'enum (' || (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                          FROM pg_enum e WHERE e.enumtypid = t.oid) || ')'"""

_DOMAIN = """concat(
    'domain over ', format_type(t.typbasetype, t.typtypmod),
    (SELECT ' collate ' || t.typcollation::regcollation FROM pg_type b
      WHERE b.oid = t.typbasetype AND b.typcollation <> t.typcollation),
    CASE WHEN t.typnotnull THEN ' not null' END,
    ' default ' || pg_get_expr(t.typdefaultbin, 0, true))"""

_RANGE = """(SELECT concat(
    'range over ', g.rngsubtype::regtype,
    CASE WHEN g.rngcollation <> b.typcollation THEN ' collate ' || g.rngcollation::regcollation END,
    ', operator class ', CASE WHEN NOT pg_opclass_is_visible(o.oid)
                              THEN quote_ident(n.nspname) || '.' END, quote_ident(o.opcname),
    ', canonical ' || nullif(g.rngcanonical::text, '-'),
    ', difference ' || nullif(g.rngsubdiff::text, '-') {multirange})
      FROM pg_range g
      JOIN pg_type b ON b.oid = g.rngsubtype
      JOIN pg_opclass o ON o.oid = g.rngsubopc
      JOIN pg_namespace n ON n.oid = o.opcnamespace
     WHERE g.rngtypid = t.oid)"""

_MULTIRANGE = ", ', multirange ' || g.rngmultitypid::regtype"

_BASE = """concat(
    'base, length ', t.typlen, ', by value ', t.typbyval, ', align ', t.typalign,
    ', storage ', t.typstorage, ', category ', t.typcategory, ', preferred ', t.typispreferred,
    ', delimiter ', t.typdelim, ', element ', t.typelem::regtype,
    ', collatable ', t.typcollation <> 0, ', input ', t.typinput, ', output ', t.typoutput,
    ', receive ', t.typreceive, ', send ', t.typsend, ', modifier ', t.typmodin, ' ', t.typmodout,
    ', analyze ', t.typanalyze, ', default ' || t.typdefault)"""

# Every table has a type of its row, every type one of its array: nobody made those.
_TYPES = """
    SELECT 'pg_type'::regclass, t.oid, 0, 'type', t.oid::regtype::text,
           CASE WHEN NOT t.typisdefined THEN 'not defined'
                ELSE CASE t.typtype WHEN 'e' THEN {enum}
                                    WHEN 'd' THEN {domain}
                                    WHEN 'r' THEN {range}
                                    WHEN 'c' THEN 'composite' ELSE {base} END END
      FROM spaces s
      JOIN pg_type t ON t.typnamespace = s.oid
      LEFT JOIN pg_class c ON c.oid = t.typrelid
      LEFT JOIN pg_type e ON e.oid = t.typelem
     WHERE t.typtype <> 'm' AND (t.typrelid = 0 OR c.relkind = 'c')
       AND e.typarray IS DISTINCT FROM t.oid AND {not_member}
"""

_DOMAIN_CONSTRAINTS = f"""
    SELECT 'pg_constraint'::regclass, c.oid, 0, 'constraint',
           t.oid::regtype || '.' || quote_ident(c.conname), pg_get_constraintdef(c.oid, true)
      FROM spaces s
      JOIN pg_type t ON t.typnamespace = s.oid AND t.typtype = 'd'
      JOIN pg_constraint c ON c.contypid = t.oid
     WHERE {not_member("pg_type", "t.oid")}
"""

_NAMED_NOT_NULL = " AND (c.contype <> 'n' OR c.conname <> concat(t.typname, '_not_null'))"

_AGGREGATE = """(SELECT concat(
    pg_get_function_arguments(p.oid), ' returns ', g.aggtranstype::regtype,
    ', moving ', g.aggmtranstype::regtype, ', sort ', g.aggsortop::regoperator,
    ', parallel ', p.proparallel, ' ',
    to_jsonb(g) - '{aggfnoid,aggtranstype,aggmtranstype,aggsortop}'::text[])
      FROM pg_aggregate g WHERE g.aggfnoid = p.oid)"""

# pg_get_functiondef names the schema always; the name is told beside it.
_ROUTINES = f"""
    SELECT 'pg_proc'::regclass, p.oid, 0,
           CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate'
                          ELSE 'function' END,
           p.oid::regprocedure::text,
           CASE p.prokind WHEN 'a' THEN {_AGGREGATE} ELSE
                btrim(substr(pg_get_functiondef(p.oid), 1 + length(format(
                     'CREATE OR REPLACE %s %I.%I',
                     CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                     s.nspname, p.proname))), chr(10)) END
      FROM spaces s
      JOIN pg_proc p ON p.pronamespace = s.oid
     WHERE {not_member("pg_proc", "p.oid")}
       AND NOT EXISTS (SELECT FROM pg_depend d -- such as the constructors of a range type
                        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                          AND d.deptype = 'i')
"""

_OPERATORS = f"""
    SELECT 'pg_operator'::regclass, o.oid, 0, 'operator', o.oid::regoperator::text,
           concat(o.oprcode, ', commutator ', o.oprcom::regoperator,
                  ', negator ', o.oprnegate::regoperator, ', restrict ', o.oprrest,
                  ', join ', o.oprjoin, CASE WHEN o.oprcanmerge THEN ', merges' END,
                  CASE WHEN o.oprcanhash THEN ', hashes' END)
      FROM spaces s JOIN pg_operator o ON o.oprnamespace = s.oid
     WHERE {not_member("pg_operator", "o.oid")}
"""

_OPERATOR_FAMILIES = f"""
    SELECT 'pg_opfamily'::regclass, f.oid, 0, 'operator-family',
           concat(s.prefix, quote_ident(f.opfname), ' using ', quote_ident(a.amname)),
           concat((SELECT string_agg(part, ', ' ORDER BY part COLLATE "C")
                     FROM (SELECT concat('operator ', p.amopstrategy, ' ',
                                         p.amopopr::regoperator, ' ', p.amoppurpose) AS part
                             FROM pg_amop p WHERE p.amopfamily = f.oid
                            UNION ALL
                           SELECT concat('function ', p.amprocnum, ' ',
                                         p.amproclefttype::regtype, ' ',
                                         p.amprocrighttype::regtype, ' ', p.amproc::regprocedure)
                             FROM pg_amproc p WHERE p.amprocfamily = f.oid) AS parts))
      FROM spaces s
      JOIN pg_opfamily f ON f.opfnamespace = s.oid
      JOIN pg_am a ON a.oid = f.opfmethod
     WHERE {not_member("pg_opfamily", "f.oid")}
"""

_OPERATOR_CLASSES = f"""
    SELECT 'pg_opclass'::regclass, c.oid, 0, 'operator-class',
           concat(s.prefix, quote_ident(c.opcname), ' using ', quote_ident(a.amname)),
           concat('for ', c.opcintype::regtype, CASE WHEN c.opcdefault THEN ', default' END,
                  ', storage ', c.opckeytype::regtype, ', family ',
                  CASE WHEN NOT pg_opfamily_is_visible(f.oid)
                       THEN quote_ident(n.nspname) || '.' END, quote_ident(f.opfname))
      FROM spaces s
      JOIN pg_opclass c ON c.opcnamespace = s.oid
      JOIN pg_am a ON a.oid = c.opcmethod
      JOIN pg_opfamily f ON f.oid = c.opcfamily
      JOIN pg_namespace n ON n.oid = f.opfnamespace
     WHERE {not_member("pg_opclass", "c.oid")}
"""


def type_queries(major: int) -> list[str]:
    """Return the queries for what most schemas hold, on a server of that major version."""
    return [
        _types(major),
        _DOMAIN_CONSTRAINTS + (_NAMED_NOT_NULL if major >= _SINCE_NAMED_NOT_NULL else ""),
        _ROUTINES,
    ]


def _types(major: int) -> str:
    multirange = _MULTIRANGE if major >= _SINCE_MULTIRANGES else ""
    return _TYPES.format(
        enum=_ENUM,
        domain=_DOMAIN,
        range=_RANGE.format(multirange=multirange),
        base=_BASE,
        not_member=not_member("pg_type", "t.oid"),
    )


#: For what few schemas hold.
RARE_TYPE_QUERIES = (_OPERATORS, _OPERATOR_FAMILIES, _OPERATOR_CLASSES)
