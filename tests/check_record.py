#!/usr/bin/env python3
"""Checks a signed record with nothing of the service's own: its hash, and that its page holds no more than it may.

Usage: check_record.py RECORD.json RECORD.html > found.json

Reads with the standard library only. Fails with a message where the canonical text is not what the document makes or
does not have the hash, or where the page nests wrongly, loads or runs something, or links to what is no plain address.
Prints JSON: `hash`, `style` (as a content security policy names the page's style sheet), `text` (all that is read)
and `tables` (how many).
"""

import base64
import hashlib
import json
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "hr"}
TAGS = VOID | set(
    "html head title style body header main footer section article h1 h2 h3 h4 h5 h6 p dl dt dd div ul ol li table "
    "caption thead tbody tr th td a code pre figure figcaption time bdi strong em del span blockquote".split()
)
ATTRIBUTES = {
    "html": {"lang"}, "meta": {"charset", "name", "content"}, "a": {"href", "title", "class"}, "time": {"datetime"},
    "th": {"scope", "class", "dir"}, "td": {"colspan", "class", "dir"}, "ol": {"start"}, "p": {"class", "dir", "role"},
    "code": {"class"},
}
ANYWHERE = {"class", "dir"}


def require(holds, why):
    if not holds:
        sys.exit(f"check_record.py: {why}")


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.text, self.style, self.seen = [], [], [], {}

    def handle_starttag(self, tag, attrs):
        require(tag in TAGS, f"an element that does not belong here: {tag}")
        self.seen[tag] = self.seen.get(tag, 0) + 1
        for name, value in attrs:
            require(name in ATTRIBUTES.get(tag, set()) | ANYWHERE, f"an attribute that does not belong here: {tag} {name}")
            if name == "href":
                require(value.lower().startswith(("https://", "http://", "mailto:")), f"an unsafe link: {value}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        require(self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}")
        self.open.pop()

    def handle_data(self, data):
        (self.style if self.open[-1:] == ["style"] else self.text).append(data)

    def handle_comment(self, data):
        require(False, f"a comment: {data}")

    def unknown_decl(self, data):
        require(False, f"a declaration: {data}")

    def handle_pi(self, data):
        require(False, f"a processing instruction: {data}")


def canonical(value):
    """RFC 8785 for what documents have: ASCII keys, text, whole numbers, booleans, lists."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def main():
    record = json.load(open(sys.argv[1], encoding="utf-8"))
    content = record["content"]
    require(canonical(content["document"]) == content["canonical"], "the canonical text is not that of the document")
    digest = hashlib.sha256(content["canonical"].encode("utf-8")).hexdigest()
    require(digest == content["hash"], f"the hash is {content['hash']}, but of the text it is {digest}")
    source = open(sys.argv[2], encoding="utf-8", newline="").read()
    require(source.startswith("<!DOCTYPE html>"), "no doctype")
    page = Page()
    page.feed(source)
    page.close()
    require(page.open == [], f"left open: {page.open}")
    require(page.seen.get("h1") == 1 and page.seen.get("title") == 1 and page.seen.get("main") == 1, "one of each")
    style = base64.b64encode(hashlib.sha256("".join(page.style).encode("utf-8")).digest()).decode()
    text = "".join(page.text)
    json.dump({"hash": digest, "style": f"sha256-{style}", "text": text, "tables": page.seen.get("table", 0)}, sys.stdout)


main()
