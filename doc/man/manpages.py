#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Man pages out of a public header, which is the one place where its calls are described.

Usage: manpages.py VERSION HEADER OVERVIEW OUTPUT...

Each comment that names the calls declared below it ("rangelock_a, rangelock_b: text") becomes a
page, and each further name a link to it.  The word that opens the header is what all of them
begin with.  A comment that refers to the one above ("the same",
"as above") continues that one's page.  What a banner comment ("/* ----") says goes to every page of
its section.

In a comment, lines that begin with a few blanks, a name, and some more blanks are a list (above a
call: of its errors); lines indented by a tab are examples.  OVERVIEW is a page with @INTRO@, for the comment that opens the
header, and @CALLS@, for a list of all calls.

OUTPUT names every page wanted: a call without documentation, or a comment for a call that is not
there, is an error, and so is a page too many or too few.
"""

import os
import re
import sys
import textwrap

API = 'RANGELOCK_API'
PACKAGE = 'rangelock'
# By what calls begin with: the library, its title, its header, and what an object without a name is called.
LIBRARIES = {
    'rangelock': ('rangelock', 'Range locks', 'rangelock.h', 'lock'),
    'mmshim': ('rangelock-mm', 'An address space over range locks', 'mm.h', 'mm'),
}
ENTRY = re.compile(r' {2,4}(\w+(?:, \w+)*) {2,}(\S.*)$') # of a list of errors, or of fields
# Names of parameters which are English words as well: in prose nothing tells which is meant.
ENGLISH = {'address', 'arg', 'at', 'config', 'end', 'file', 'flags', 'granted', 'hi', 'length', 'lo',
           'lock', 'n', 'offset', 'pages', 'point', 'range', 'ranges', 'size', 'start', 'word'}


class Undocumented(Exception):
    pass


def body(comment):
    """The lines of a comment without its frame, tabs made blanks."""
    lines = [line.expandtabs(8) for line in comment]
    lines[0] = re.sub(r'^/\*', ' *', lines[0])
    lines[-1] = re.sub(r'\s*\*/$', '', lines[-1])
    lines = [re.sub(r'^ \* ?', '', line) for line in lines]
    return [line.rstrip() for line in lines if not re.fullmatch(r'-{20,} ?\*?', line.strip())]


def blocks(lines):
    """Text as ('text', words), ('list', [(names, words)]) and ('code', lines)."""
    out = []
    new = True
    for line in lines:
        entry = ENTRY.match(line)
        kind = out[-1][0] if out else None
        if not line:
            new = True
            if kind == 'code':
                out[-1][1].append('')
            continue
        if line.startswith(' ' * 5) and (kind == 'code' or kind is None or new):
            if kind != 'code':
                out.append(('code', []))
            out[-1][1].append(line)
        elif entry:
            if kind != 'list':
                out.append(('list', []))
            out[-1][1].append([entry[1], entry[2]])
        elif kind == 'list' and line.startswith('    ') and not new:
            out[-1][1][-1][1] += ' ' + line.strip()
        elif kind == 'text' and not new:
            text = out[-1][1]
            out[-1] = ('text', text + ('  ' if text.endswith('.') else ' ') + line.strip())
        else:
            out.append(('text', line.strip()))
        new = False
    return [(kind, textwrap.dedent('\n'.join(what)).rstrip() if kind == 'code' else what)
            for kind, what in out]


class Item:
    """A comment and the code below it, up to a blank line."""

    def __init__(self, comment, code, section):
        self.section = section
        self.blocks = blocks(body(comment)) if comment else []
        self.code = '\n'.join(code)
        bare = re.sub(r'/\*.*?\*/', '', self.code, flags=re.S)
        self.prototypes = [' '.join(p.split()) for p in
                           re.findall(r'^(?:%s|typedef)\s[^;{]*\);' % API, bare, re.M)]
        self.calls = [re.search(r'(\w+)\(', p)[1] for p in self.prototypes if p.startswith(API)]
        self.defines = set(re.findall(r'^(?:struct|enum)\s+(\w+)\s*{|^#define\s+(\w+)', bare, re.M))
        self.defines = {a or b for a, b in self.defines}
        self.defines |= set(re.findall(r'^typedef\s.*?(\w+)\(', bare, re.M))
        for values in re.findall(r'^enum\s+\w+\s*{(.*?)}', bare, re.M | re.S):
            self.defines |= set(re.findall(r'\b[A-Z]\w+', values))
        self.opaque = 'private_' in bare
        if self.calls:
            self.take_names()

    def take_names(self):
        kind, text = self.blocks[0] if self.blocks else ('text', '')
        match = re.match(r'((?:\w+, )*\w+):\s*(.+)?', text if kind == 'text' else '', re.S)
        names = match[1].split(', ') if match else []
        if sorted(names) != sorted(self.calls):
            missing = sorted(set(self.calls) - set(names)) or sorted(set(names) - set(self.calls))
            raise Undocumented('%s: the comment above the declarations of %s does not begin with '
                               'just their names and a colon' %
                               (', '.join(missing), ', '.join(self.calls)))
        if not match[2]:
            raise Undocumented('%s: its comment does not say what it does' % names[0])
        self.blocks[0] = ('text', match[2])

    def text(self):
        return ' '.join(what if kind == 'text' else ' '.join(t for _, t in what)
                        for kind, what in self.blocks if kind != 'code')

    def continues(self):
        return bool(re.search(r'^the same\b|\bas above\b', self.text()))


class Section:
    def __init__(self, comment):
        parts = blocks(body(comment))
        self.title = parts[0][1]
        self.blocks = parts[1:]
        self.pages = []


class Header:
    def __init__(self, path):
        self.items, self.sections = [], []
        self.intro = None
        lines = open(path, encoding='utf-8').read().split('\n')
        section, at = None, 0
        while at < len(lines):
            comment = []
            if lines[at].startswith('/*'):
                while True:
                    comment.append(lines[at])
                    at += 1
                    if comment[-1].rstrip().endswith('*/'):
                        break
            code = []
            while at < len(lines) and lines[at] and not lines[at].startswith('/*'):
                code.append(lines[at])
                at += 1
            if comment and re.match(r'/\* -{20,}', comment[0]):
                section = Section(comment)
                self.sections.append(section)
            elif comment and not self.intro and len(comment) > 1:
                self.intro = blocks(body(comment))
            elif code:
                self.items.append(Item(comment, code, section))
            if not comment and not code:
                at += 1
        self.calls = [c for item in self.items for c in item.calls]
        self.prefix = re.match(r'\w+', self.intro[0][1])[0]
        self.constant = re.compile(r'E[A-Z0-9]{3,}$|%s_' % self.prefix.upper())
        declared = set(re.findall(r'\b(%s_\w+)\(' % self.prefix, '\n'.join(
            p for p in re.findall(r'^%s\s[^;{]*;' % API, '\n'.join(lines), re.M))))
        if declared != set(self.calls):
            raise Undocumented('%s: not understood' % ', '.join(declared ^ set(self.calls)))
        self.parameters = {name for item in self.items for p in item.prototypes
                           for name in re.findall(r'\*?(\w+)(?:\[\])?[,)]', p)} - ENGLISH - {'void'}
        self.types = {t for item in self.items for t in item.defines if t.islower()}
        self.pages = []
        for item in self.items:
            if not item.calls:
                continue
            if item.continues() and self.pages:
                self.pages[-1].items.append(item)
            else:
                self.pages.append(Page(item))
                item.section.pages.append(self.pages[-1])
        self.page_of = {c: page for page in self.pages for item in page.items for c in item.calls}


def plain(text):
    """Escape what troff would take for its own."""
    text = text.replace('\\', '\\e').replace('-', '\\-').replace("'", '\\(aq').replace('"', '\\(dq')
    text = text.replace('^', '\\(ha').replace('~', '\\(ti').replace('`', '\\(ga')
    return re.sub(r'^([.\'])', r'\\&\1', text, flags=re.M)


class Page:
    def __init__(self, item):
        self.items = [item]

    def names(self):
        return [c for item in self.items for c in item.calls]

    def summary(self):
        """What the page's calls do, in half a sentence."""
        text = re.split(r'[.:;?](?=\s|$)| \(', self.items[0].blocks[0][1])[0]
        comma = re.search(r', (?![^\[]*\))', text)
        if comma and (len(text) > 90 or len(self.items) > 1):
            text = text[:comma.start()]
        return text


class Writer:
    def __init__(self, header, version):
        self.header, self.version = header, version
        self.mentioned, self.own = [], []

    def prose(self, text):
        """Words of a comment: calls, constants, types and parameters set off, a sentence a line."""
        def mark(match):
            word = match[0]
            name = word[:-2] if word.endswith('()') else word
            if name in self.header.page_of:
                self.mentioned.append(name)
                if name in self.own:
                    return '\\fB%s\\fP()' % name
                return '\\fB%s\\fP(3)' % name
            if name in self.header.types or self.header.constant.match(name):
                return '\\fB%s\\fP' % word
            return '\\fI%s\\fP' % word if name in self.header.parameters else word

        text = plain(' '.join(re.sub(r'([.?])  ', r'\1\n', text).split(' ')))
        text = re.sub(r'(?<!\\)\b\w+\b(?:\(\))?(?:\*)?', mark, text)
        lines = []
        for sentence in text.split('\n'):
            lines += textwrap.wrap(sentence, 90, break_long_words=False, break_on_hyphens=False)
        return '\n'.join(re.sub(r"^([.'])", r'\\&\1', line) for line in lines) + '\n'

    def code(self, text, indent='.in +4n\n', outdent='.in\n'):
        return '%s.EX\n%s\n.EE\n%s' % (indent, plain(text.replace('\\', '\\')), outdent)

    def paragraphs(self, parts):
        out = []
        for kind, what in parts:
            if kind == 'text':
                out.append('.PP\n' + self.prose(what))
            elif kind == 'code':
                out.append('.PP\n' + self.code(what))
            else:
                out.append(self.errors(what))
        return ''.join(out)

    def errors(self, entries):
        out = []
        for names, text in entries:
            out.append('.TP\n.B %s\n%s' % (names, self.prose(text)))
        return ''.join(out)

    def prototype(self, p):
        """A declaration, bold, its parameters in italics, broken between parameters."""
        p = re.sub(r'^%s ' % API, '', p)
        p = re.sub(r'(struct %s \*)(?=[,)])' % self.header.prefix,
                   r'\1' + LIBRARIES[self.header.prefix][3], p)
        head, parameters = re.match(r'(.*?\()(.*)\);$', p).groups()
        lines, column = [''], len(head)
        for k, parameter in enumerate(parameters.split(', ')):
            last = k == parameters.count(', ')
            width = len(parameter) + 2
            if lines[-1] and column + width > 72:
                lines.append('')
                column = len(head)
            column += width
            shown = re.sub(r'(?<=[ *])(\w+)(?=(?:\[\])?$)', r'\\fI\1\\fB', plain(parameter))
            if re.match(r'(enum|const struct|struct) \w+( \*)?$', parameter) or parameter == 'void':
                shown = plain(parameter)
            lines[-1] += shown + (');' if last else ', ')
        indent = '\n' + ' ' * len(head)
        return '\\fB' + plain(head) + indent.join(line.rstrip() for line in lines) + '\\fP\n'

    def needed_types(self, page):
        """Definitions that the page's declarations and words refer to, and those in turn."""
        words = ' '.join(' '.join(item.prototypes) + ' ' + item.text() for item in page.items)
        own, found, seen = set(page.items), [], None
        while seen != found:
            seen = list(found)
            for item in self.header.items:
                if item in own or item in found or item.opaque or item.calls or not item.section:
                    continue
                macros = {d for d in item.defines if d.isupper()}
                named = item.defines & set(re.findall(r'\w+', words))
                starred = [d for d in macros for w in re.findall(r'(\w+_)\*', words)
                           if d.startswith(w)]
                about = macros and any(t in item.text() for f in found for t in f.defines
                                       if t.islower())
                if named or starred or about:
                    found.append(item)
                    words += ' ' + re.sub(r'/\*.*?\*/', '', item.code, flags=re.S)
        return [item for item in self.header.items if item in found]

    def page(self, page):
        section = page.items[0].section
        library, title, include, _ = LIBRARIES[self.header.prefix]
        names = page.names()
        self.mentioned, self.own = [], names
        several = len(page.items) > 1
        out = ['.\\" Made from the comments of the header: change those.\n',
               '.TH %s 3 "" "%s %s" "Library calls"\n' % (names[0], PACKAGE, self.version),
               '.ad l\n.nr HY 0\n.nh\n',
               '.SH NAME\n', ',\n'.join(names), ' \\- ', plain(page.summary()), '\n',
               '.SH LIBRARY\n%s (\\fIlib%s\\fP, \\fI\\-l%s\\fP)\n' %
               (title, plain(library), plain(library)),
               '.SH SYNOPSIS\n.nf\n\\fB#include <%s/%s>\\fP\n.PP\n' % (PACKAGE, include)]
        for item in page.items:
            out += [self.prototype(p) for p in item.prototypes]
        out.append('.fi\n.SH DESCRIPTION\n')
        errors, examples, success = '', [], '0'
        for item in page.items:
            lead = ', '.join('\\fB%s\\fP()' % c for c in item.calls) + ':\n'
            own = ''
            for kind, what in item.blocks:
                if kind == 'list':
                    if what[0][0] == '0':
                        success = '0: ' + what[0][1]
                        what = what[1:]
                    own += self.errors(what)
                elif kind == 'code':
                    examples.append(what)
                else:
                    as_others = re.search(r'(?:^|(?<=\.) +)(Errors as [^.,]*)(?:\.|, and)$', what)
                    if as_others:
                        own += '.PP\n' + self.prose(as_others[1] +
                                                    (':' if what.endswith('and') else '.'))
                        what = what[:as_others.start()]
                    if what:
                        out.append('.PP\n' + lead + self.prose(what))
                        lead = ''
            if own and several:
                own = '.SS %s\n' % ', '.join(item.calls) + own
            errors += own
        prose = [b for b in section.blocks if b[0] == 'text']
        if prose:
            out.append('.SS %s\n' % plain(section.title) + self.paragraphs(prose))
        shared = [b for b in section.blocks if b[0] == 'list']
        examples += [what for kind, what in section.blocks if kind == 'code']
        out.append(self.returns(page, success, errors + self.paragraphs(shared)))
        types = self.needed_types(page)
        if types:
            out.append('.SH TYPES AND CONSTANTS\n')
        for item in types:
            out.append(self.paragraphs(item.blocks) + '.PP\n' + self.code(item.code.expandtabs(8)))
        if examples:
            out.append('.SH EXAMPLES\n' + '.PP\n'.join(self.code(e) for e in examples))
        other = [p.names()[0] for p in section.pages]
        other += [self.header.page_of[n].names()[0] for n in self.mentioned]
        other = sorted(set(other) - {names[0]})
        out.append('.SH SEE ALSO\n' + ''.join('.BR %s (3),\n' % n for n in other) +
                   '.BR %s (7)\n' % self.header.prefix)
        return ''.join(out)

    def returns(self, page, success, errors):
        kinds = {p[len(API) + 1:p.index('(')].rsplit(' ', 1)[0] for item in page.items
                 for p in item.prototypes if p.startswith(API)}
        if kinds != {'int'}:
            return '.SH ERRORS\n' + errors if errors else ''
        more = any(re.search(r'\bis returned\b', item.text()) for item in page.items)
        return ('.SH RETURN VALUE\n%s%s or a positive error number%s.\n.SH ERRORS\n' %
                (self.prose(success).rstrip(), ',' if success == '0' else ';',
                 ', or what is said above' if more else '') + errors +
                '.PP\nWhat every call may return, %s, is said in\n.BR %s (7).\n' %
                (' and '.join('\\fB%s\\fP' % e for e in ('EINVAL', 'ENOTSUP')
                              if e in str(self.header.intro)), self.header.prefix))

    def overview(self, template):
        title, summary = re.match(r'(\w+): (.*)\.$', self.header.intro[0][1]).groups()
        intro = []
        for kind, what in self.header.intro[1:]:
            heading = kind == 'text' and re.match(r'([A-Z][a-z]+(?: [a-z]+){0,2})\.  ', what)
            if heading:
                intro.append('.SS %s\n' % heading[1])
                what = what[heading.end():]
            intro.append(self.paragraphs([(kind, what)]))
        calls = []
        for section in self.header.sections:
            if section.pages:
                calls.append('.SS %s\n' % plain(section.title))
            for page in section.pages:
                names = ',\n'.join('.BR %s (3)' % n for n in page.names())
                calls.append('.PP\n' + names + '\n.RS 4\n' + plain(page.summary()) + '\n.RE\n')
        return (template.replace('@VERSION@', self.version).replace('@TITLE@', title)
                .replace('@SUMMARY@', plain(summary)).replace('@INTRO@\n', ''.join(intro))
                .replace('@CALLS@\n', ''.join(calls)))


def main():
    version, header_path, overview_path, *outputs = sys.argv[1:]
    header = Header(header_path)
    writer = Writer(header, version)
    pages = {header.prefix + '.7': writer.overview(open(overview_path, encoding='utf-8').read())}
    for page in header.pages:
        first, *others = page.names()
        pages[first + '.3'] = writer.page(page)
        for name in others:
            pages[name + '.3'] = '.so man3/%s.3\n' % first
    wanted = {os.path.basename(path): path for path in outputs}
    if wanted.keys() != pages.keys():
        raise Undocumented('%s: either documented or exported (the library\'s .map), not both' %
                           ', '.join(sorted(wanted.keys() ^ pages.keys())))
    for name, path in wanted.items():
        with open(path, 'w', encoding='utf-8') as file:
            file.write(re.sub(r'^(\.S[HS] .*\n)\.PP\n', r'\1', pages[name], flags=re.M))


if __name__ == '__main__':
    try:
        main()
    except Undocumented as error:
        sys.exit('manpages.py: %s: %s' % (sys.argv[2], error))
