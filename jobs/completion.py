"""Shell completion, made from the parsers of the command line. Where no word fits the shells offer files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Final

NAME: Final = "heroredis"
ZSH: Final = """(( $+functions[compdef] )) || { autoload -U compinit && compinit -i; }
autoload -U +X bashcompinit && bashcompinit"""
SERVE: Final = "serve"
"""The command whose options may stand alone."""


def words(parser: argparse.ArgumentParser, elsewhere: Mapping[str, argparse.ArgumentParser]) -> dict[str, list[str]]:
    """What may follow each path of words, "" being the beginning. `elsewhere`: commands with parsers of their own."""
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

    for name, one in elsewhere.items():
        visit(name, one)
        found[name] = [word for word in found[name] if word != name]
    visit("", parser)
    alone = [option for option in found.get(SERVE, []) if option not in found[""]]
    found[""] = [*elsewhere, *found[""], *alone]
    return found


def script(shell: str, parser: argparse.ArgumentParser,
           elsewhere: Mapping[str, argparse.ArgumentParser] | None = None) -> str:
    """The script for bash, zsh or fish."""
    found = words(parser, elsewhere or {})
    if shell == "fish":
        return "\n".join(_fish(found))
    groups = "|".join(dict.fromkeys(path.split()[0] for path in found if " " in path))
    cases = "\n".join(f'    "{path}") words="{" ".join(following)}" ;;' for path, following in found.items())
    body = f"""_{NAME}() {{
  local path="" words="" word cur="${{COMP_WORDS[COMP_CWORD]}}"
  for word in "${{COMP_WORDS[@]:1:$((COMP_CWORD-1))}}"; do
    case "$path" in ""|{groups}) [[ "$word" == -* ]] || path="${{path:+$path }}$word" ;; esac
  done
  case "$path" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _{NAME} {NAME}"""
    return body if shell == "bash" else f"{ZSH}\n{body}"


def _fish(found: dict[str, list[str]]) -> list[str]:
    lines = []
    for path, following in found.items():
        commands = [word for word in following if not word.startswith("-")]
        conditions = [f"__fish_seen_subcommand_from {word}" for word in path.split()]
        if commands:
            conditions.append(f"not __fish_seen_subcommand_from {' '.join(commands)}")
        condition = "; and ".join(conditions)
        lines += [f"complete -c {NAME} -n '{condition}' " + (f"-l {word[2:]}" if word.startswith("--")
                                                            else f"-f -a {word}") for word in following]
    return lines
