"""The page about Kubernetes is done step by step, against a cluster whose pods are processes here."""

import os
import subprocess
import sys
from pathlib import Path

from edge_project import clean_environment
from pages import ROOT, blocks

PAGE = ROOT / "docs" / "kubernetes.md"


def test_the_page_does_what_it_says(cluster, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    environment = {**clean_environment(), "KUBECONFIG": str(cluster.config), "PYTHON": sys.executable}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    said, run = "", 0
    for action, argument, language, text in blocks(PAGE):
        if action == "file":
            (home / argument).write_text(text)
        elif language == "sh":
            script = text.replace("s3://acme-models/gates", f"file://{tmp_path / 'store'}")
            script = f"set -e; gates() {{ '{sys.executable}' -m gates \"$@\"; }}\n{script}"
            ended = subprocess.run(
                ["sh", "-c", script],
                cwd=home,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            said, run = ended.stdout + ended.stderr, run + 1
            assert ended.returncode == 0, said
        elif action == "says":
            for line in text.splitlines():
                assert line in said.splitlines()
    assert run == 2
    assert len(cluster.of("jobs")) == 1
