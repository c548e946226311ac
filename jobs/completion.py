"""Shell completion, made from the parser of the command line."""

from __future__ import annotations

import argparse
from typing import Any, Final

ELSEWHERE: Final = ("serve", "worker")
"""Commands that have parsers of their own."""


def words(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """What may follow each path of words, "" being the beginning."""
    found: dict[str, list[str]] = {}

    def visit(path: str, node: argparse.ArgumentParser) -> None:
        here: list[str] = []
        for action in node._actions:
            if isinstance(action, argparse._SubParsersAction):
                children: dict[str, Any] = dict(action.choices)
                here += children
                for name, child in children.items():
                    visit(f"{path} {name}".strip(), child)
            else:
                here += [option for option in action.option_strings if option.startswith("--")]
                here += [str(choice) for choice in action.choices or () if not action.option_strings]
        found[path] = here

    visit("", parser)
    found[""] = [*ELSEWHERE, *found[""]]
    return found


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for bash, zsh or fish."""
    found = words(parser)
    if shell == "fish":
        lines = ["complete -c heroredis -f"]
        for path, following in found.items():
            seen = " and ".join(f"__fish_seen_subcommand_from {word}" for word in path.split())
            condition = seen or "not __fish_seen_subcommand_from " + " ".join(
                word for word in found[""] if not word.startswith("-"))
            lines += [f"complete -c heroredis -n '{condition}' " + (f"-l {word[2:]}" if word.startswith("--")
                                                                    else f"-a {word}") for word in following]
        return "\n".join(lines)
    cases = "\n".join(f'    "{path}") words="{" ".join(following)}" ;;' for path, following in found.items())
    body = f"""_heroredis() {{
  local path="" words="" word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$path" in ""|job|topic|schedule) [[ "$word" == -* ]] || path="${{path:+$path }}$word" ;; esac
  done
  case "$path" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -F _heroredis heroredis"""
    return body if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{body}"
