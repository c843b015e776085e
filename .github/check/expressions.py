"""Expressions of GitHub Actions, as far as the workflows here use them: names, strings, == != ! && ||, and a few functions."""

import re

TOKEN = re.compile(r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)|(?P<sign>==|!=|&&|\|\||[!()]))")


class Unknown(Exception):
    """An expression that is not understood here."""


def evaluate(text, contexts, functions):
    """The value of an expression; names that are not there are empty, as on the platform."""
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Unknown(f"'{text}' at '{text[at:]}'")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    value, rest = disjunction(tokens, contexts, functions)
    if rest:
        raise Unknown(f"'{text}' goes on with {rest}")
    return value


def disjunction(tokens, contexts, functions):
    value, tokens = conjunction(tokens, contexts, functions)
    while tokens and tokens[0][1] == "||":
        other, tokens = conjunction(tokens[1:], contexts, functions)
        value = value or other
    return value, tokens


def conjunction(tokens, contexts, functions):
    value, tokens = comparison(tokens, contexts, functions)
    while tokens and tokens[0][1] == "&&":
        other, tokens = comparison(tokens[1:], contexts, functions)
        value = value and other
    return value, tokens


def comparison(tokens, contexts, functions):
    value, tokens = operand(tokens, contexts, functions)
    if tokens and tokens[0][1] in ("==", "!="):
        sign = tokens[0][1]
        other, tokens = operand(tokens[1:], contexts, functions)
        value = (str(value) == str(other)) == (sign == "==")
    return value, tokens


def operand(tokens, contexts, functions):
    if not tokens:
        raise Unknown("it ends too soon")
    kind, text = tokens[0]
    if kind == "string":
        return text[1:-1].replace("''", "'"), tokens[1:]
    if text == "!":
        value, tokens = operand(tokens[1:], contexts, functions)
        return not value, tokens
    if text == "(":
        value, tokens = disjunction(tokens[1:], contexts, functions)
        return value, tokens[1:]
    if len(tokens) > 1 and tokens[1][1] == "(":
        end = next(i for i, (_, sign) in enumerate(tokens) if sign == ")")
        arguments = [value[1:-1] for kind, value in tokens[2:end] if kind == "string"]
        if text not in functions:
            raise Unknown(f"function '{text}'")
        return functions[text](*arguments), tokens[end + 1 :]
    return look_up(text, contexts), tokens[1:]


def look_up(name, contexts):
    value = contexts
    for part in name.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return value


def filled(text, contexts, functions):
    """A text with its `${{ }}` replaced."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda m: str(evaluate(m[1], contexts, functions)), str(text), flags=re.S)


def holds(condition, contexts, functions, ok):
    """Whether a step or job with this `if` runs; one that asks for no state of the job wants that nothing failed."""
    if condition is None:
        return ok
    text = str(condition).strip()
    text = text[3:-2] if text.startswith("${{") else text
    asks = any(name + "(" in text for name in ("always", "cancelled", "failure", "success"))
    return bool(evaluate(text, contexts, functions)) and (ok or asks)
