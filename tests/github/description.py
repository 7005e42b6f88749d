"""GitHub's own description of its API (@octokit/openapi), as a judge of requests and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT4

FILE = Path(__file__).parents[1] / "node_modules/@octokit/openapi/generated/api.github.com.json"
ROOT = "urn:github"


@cache
def load() -> Description:
    if not FILE.exists():
        raise FileNotFoundError(f"{FILE} is missing; scripts/test installs it, or run: npm ci --prefix tests")
    return Description(json.loads(FILE.read_bytes()))


@dataclass(frozen=True)
class Operation:
    path: str  # as described, with its {names}
    verb: str
    says: Mapping[str, Any]
    names: Mapping[str, str]  # what stands in the place of the path's {names}

    @property
    def id(self) -> str:
        return str(self.says["operationId"])


class Description:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.registry: Registry[Any] = Registry().with_resource(ROOT, DRAFT4.create_resource(document))

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str]]:
        shapes = []
        for path in self.document["paths"]:
            parts = re.split(r"\{(\w+)\}", path)
            shape = "".join(re.escape(part) if i % 2 == 0 else f"(?P<{part}>[^/]+)" for i, part in enumerate(parts))
            shapes.append((re.compile(shape), path))
        return shapes

    def operation(self, verb: str, path: str) -> Operation | None:
        for shape, described in self._paths:
            match = shape.fullmatch(path)
            says = self.document["paths"][described].get(verb.lower()) if match else None
            if match and says:
                names = {name: unquote(value) for name, value in match.groupdict().items()}
                return Operation(described, verb.lower(), says, names)
        return None

    def faults_of_request(self, operation: Operation, query: Mapping[str, str], body: bytes) -> list[str]:
        known = [self.resolve(item) for item in operation.says.get("parameters", [])]
        faults = [f"unknown query {name}" for name in query if name not in {item["name"] for item in known}]
        for item in known:
            given = {"path": operation.names, "query": query}.get(item["in"], {}).get(item["name"])
            if given is not None:
                faults += self._faults(_as(item["schema"], given), item["schema"])
            elif item.get("required"):
                faults.append(f"missing {item['in']} {item['name']}")
        return faults + self._faults_of_body(operation, body)

    def _faults_of_body(self, operation: Operation, body: bytes) -> list[str]:
        if "requestBody" not in operation.says:
            return [f"a body where none belongs: {body[:40]!r}"] if body else []
        schema = operation.says["requestBody"]["content"]["application/json"]["schema"]
        try:
            value = json.loads(body)
        except ValueError:
            return ["the body is not JSON"]
        unknown = [f"unknown key {key}" for key in value if key not in self.resolve(schema)["properties"]]
        return unknown + self._faults(value, schema)

    def faults_of_answer(self, operation: Operation, status: int, answer: Any) -> list[str]:
        described = operation.says["responses"].get(str(status))
        if described is None and status >= 400:  # trouble that hits any operation is described once for all
            return self._faults(answer, {"$ref": "#/components/schemas/basic-error"})
        if described is None:
            return [f"{status} is not described"]
        content = self.resolve(described).get("content")
        if not content:
            return [] if answer is None else ["an answer where none belongs"]
        return self._faults(answer, content["application/json"]["schema"])

    def resolve(self, value: Any) -> Any:
        return self.registry.resolver(ROOT).lookup(value["$ref"]).contents if "$ref" in value else value

    def example(self, name: str) -> Any:
        return json.loads(json.dumps(self.document["components"]["examples"][name]["value"]))

    def _faults(self, value: Any, schema: Mapping[str, Any]) -> list[str]:
        anchored = _anchored(schema)
        judge = OAS30Validator(anchored, registry=self.registry, format_checker=oas30_format_checker)
        return [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in judge.iter_errors(value)
        ]


def _anchored(schema: Any) -> Any:
    """The schema with its own references, those of a discriminator, too, led to the whole document."""
    if isinstance(schema, dict):
        return {
            key: ROOT + value if isinstance(value, str) and value.startswith("#/components/") else _anchored(value)
            for key, value in schema.items()
        }
    return [_anchored(item) for item in schema] if isinstance(schema, list) else schema


def _as(schema: Mapping[str, Any], text: str) -> Any:
    return int(text) if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text) else text
