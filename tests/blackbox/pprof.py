"""A reader of pprof's profile.proto that shares nothing with procd's writer."""

import gzip


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """{number: [values]} of one message; a value is an int or bytes."""
    found, at = {}, 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            value, at = _varint(data, at)
        elif tag & 7 == 2:
            n, at = _varint(data, at)
            value, at = data[at:at + n], at + n
            assert len(value) == n, "a field ends beyond its message"
        else:
            raise AssertionError("wire type %d" % (tag & 7))
        found.setdefault(tag >> 3, []).append(value)
    return found


def packed(parts):
    out = []
    for part in parts:
        if isinstance(part, int):
            out.append(part)
            continue
        at = 0
        while at < len(part):
            value, at = _varint(part, at)
            out.append(value)
    return out


class Profile:
    """samples: [(frames, count, nanoseconds, labels)], frames = function names, leaf first."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        self.compressed = data[:2] == b"\x1f\x8b"
        top = fields(gzip.decompress(data) if self.compressed else data)
        self.strings = [s.decode() for s in top[6]]
        assert self.strings[0] == "", "string 0"
        assert len(self.strings) == len(set(self.strings)), "a string twice"
        types = [fields(t) for t in top[1]]
        self.types = [(self.text(t, 1), self.text(t, 2)) for t in types]
        self.period_type = (self.text(fields(top[11][0]), 1), self.text(fields(top[11][0]), 2))
        self.period = top[12][0]
        self.duration = top[10][0]
        self.comments = [self.strings[i] for i in packed(top.get(13, []))]
        functions = {f[1][0]: f for f in map(fields, top.get(5, []))}
        self.functions = {i: self.text(f, 2) for i, f in functions.items()}
        self.files = {self.text(f, 2): self.text(f, 4) for f in functions.values()}
        self.mappings = {m[1][0]: m for m in map(fields, top.get(3, []))}
        locations = {x[1][0]: x for x in map(fields, top.get(4, []))}
        assert len(locations) == len(top.get(4, [])), "a location twice"
        self.lines = {}
        names = {}
        for number, x in locations.items():
            mapping = x.get(2, [0])[0]
            assert mapping == 0 or mapping in self.mappings, "a mapping that is not there"
            if mapping:
                m = self.mappings[mapping]
                assert m.get(2, [0])[0] <= x[3][0] < m[3][0], "an address outside of its mapping"
            here = [fields(line) for line in x.get(4, [])]
            for line in here:
                self.lines.setdefault(self.functions[line[1][0]], set()).add(line.get(2, [0])[0])
            names[number] = [self.functions[line[1][0]] for line in here] or ["?"]
        self.samples = []
        for s in map(fields, top.get(2, [])):
            count, nanoseconds = packed(s[2])
            labels = {}
            for label in map(fields, s.get(3, [])):
                labels[self.text(label, 1)] = self.strings[label[2][0]] if 2 in label else label[3][0]
            self.samples.append(([n for i in packed(s[1]) for n in names[i]], count, nanoseconds, labels))
        self.count = sum(s[1] for s in self.samples)

    def text(self, message, number):
        return self.strings[message.get(number, [0])[0]]

    def under(self, function):
        """Samples with FUNCTION somewhere on the stack."""
        return sum(s[1] for s in self.samples if function in s[0])

    def mapping_of(self, file):
        """(file, build id) of the mappings whose file ends so."""
        return [(self.text(m, 5), self.text(m, 6)) for m in self.mappings.values() if self.text(m, 5).endswith(file)]
