"""A Java process with one Spark session on Delta Lake, reached through Py4J."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

from tests.support.delta.jars import jars

#: An object of Java, or of Scala; nothing of it has types here.
Java: TypeAlias = Any

#: What Spark reaches into, which Java closes since 17.
_OPENED = (
    *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio"),
    *("java.util", "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref"),
    *("sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar"),
)

#: One core and little memory, half of it for what is short-lived; no compiler of the second stage,
#: and no code made for a query: the tables hold a few rows, and each statement is another one.
_JAVA = (
    "-Xmx1g",
    "-Xmn512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Djdk.reflect.useDirectMethodHandle=false",
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED),
)
_SPARK = {
    "spark.master": "local[1]",
    "spark.app.name": "levelhead",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.catalogImplementation": "in-memory",  # else a metastore of Derby is made
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    # The log's files are those of one process: the default one asks a program, readlink, for each.
    "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
    "spark.sql.legacy.parameterSubstitution.constantsOnly": "true",
}


@contextmanager
def spark() -> Iterator[tuple[Java, Java]]:
    """Run Java for the block; give its classes, and a Spark session.

    Raises:
        MissingError: There is no Java, or its jars cannot be fetched.
    """
    folder = jars()
    with tempfile.TemporaryDirectory() as scratch, _java(folder, Path(scratch)) as classes:
        session = _session(classes, Path(scratch))
        try:
            yield classes, session
        finally:
            session.stop()


@contextmanager
def _java(folder: Path, scratch: Path) -> Iterator[Java]:
    (bridge,) = folder.glob("py4j-*.jar")
    with (scratch / "java.log").open("w") as log:
        port, token, process = launch_gateway(
            jarpath=str(bridge),
            classpath=str(folder / "*"),
            javaopts=[*_JAVA, f"-Djava.io.tmpdir={scratch}"],
            die_on_exit=True,
            enable_auth=True,
            return_proc=True,
            redirect_stdout=log,
            redirect_stderr=log,
        )
        given = GatewayParameters(port=port, auth_token=token, auto_convert=True)
        gateway = JavaGateway(gateway_parameters=given)
        try:
            yield gateway.jvm
        finally:
            gateway.shutdown()
            process.stdin.close()  # its owner is gone: it ends
            process.wait()


def _session(classes: Java, scratch: Path) -> Java:
    places = {"spark.sql.warehouse.dir": scratch / "tables", "spark.local.dir": scratch}
    builder = classes.org.apache.spark.sql.classic.SparkSession.builder()
    for key, value in {**_SPARK, **places}.items():
        builder = builder.config(key, str(value))
    return builder.getOrCreate()
