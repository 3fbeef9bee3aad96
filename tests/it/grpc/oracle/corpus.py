"""The reference implementation of Protobuf (PyPI protobuf) as the oracle of messages.

corpus.py make FOLDER            compiles the schemas beside this file and writes a corpus of messages into the folder
corpus.py same-json FOLDER NAME  compares the JSON lines on standard input with the ones of the corpus
corpus.py same-files FOLDER A B  compares two descriptor sets in the folder, but for where in a source things stood
corpus.py compile FOLDER SET F…  compiles .proto files below the folder into a descriptor set there
corpus.py same-text FOLDER TYPE  reads the text messages on standard input and compares them with the ones of the corpus
"""

import base64
import difflib
import json
import math
import pathlib
import random
import re
import struct
import sys
from decimal import Decimal

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, text_format
from google.protobuf.message import EncodeError
from grpc_tools import protoc

HERE = pathlib.Path(__file__).parent / "schema"
TYPES = ["Proto2", "Proto3", "Maps", "Known", "Edition"]
CASES = 400


def compile_sources(folder, out, *names, source_info=False):
    wkt = pathlib.Path(protoc.__file__).parent / "_proto"
    args = ["protoc", f"-I{folder}", f"-I{wkt}", "--include_imports", f"--descriptor_set_out={out}"]
    args += ["--include_source_info"] if source_info else []
    if protoc.main(args + [str(folder / name) for name in names]) != 0:
        sys.exit("protoc failed")


def compile_below(folder, out, *names):
    compile_sources(folder, folder / out, *names)


def same_files(folder, *names):
    sets = [descriptor_pb2.FileDescriptorSet.FromString((folder / name).read_bytes()) for name in names]
    first, second = [{file.name: file for file in each.file} for each in sets]
    if set(first) != set(second):
        sys.exit(f"other files: {sorted(set(first) ^ set(second))}")
    # Google's own files are of one version or another.
    for name, file in ((n, f) for n, f in first.items() if not n.startswith("google/protobuf/")):
        for each in (file, second[name]):
            each.ClearField("source_code_info")
            # protoc takes features of sources out, and what held them stays.
            if not each.options.features.ListFields():
                each.options.ClearField("features")
            if not each.options.ListFields():
                each.ClearField("options")
        if file != second[name]:
            lines = [str(each).split("\n") for each in (file, second[name])]
            sys.exit(name + "\n" + "\n".join(list(difflib.unified_diff(*lines, lineterm=""))[:60]))


class Oracle:
    def __init__(self, folder):
        self.folder = folder
        self.pool = descriptor_pool.DescriptorPool()
        files = descriptor_pb2.FileDescriptorSet.FromString((folder / "corpus.binpb").read_bytes())
        for file in files.file:
            self.pool.Add(file)

    def new(self, name):
        descriptor = self.pool.FindMessageTypeByName(name if "." in name else f"oracle.{name}")
        return message_factory.GetMessageClass(descriptor)()

    def json(self, message, **options):
        return json_format.MessageToJson(message, descriptor_pool=self.pool, indent=None, **options)

    def read(self, name, text, **options):
        return json_format.Parse(text, self.new(name), descriptor_pool=self.pool, max_recursion_depth=100, **options)


def wire(message):
    return ordered(message.SerializeToString(deterministic=True), message.DESCRIPTOR)


def varint(raw, at):
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def as_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def split(raw, at=0, group=None):
    """The fields of a message: number, wire type, tag, content; and where it ends."""
    fields = []
    while at < len(raw):
        start = at
        tag, at = varint(raw, at)
        number, kind = tag >> 3, tag & 7
        if kind == 4:
            assert number == group
            return fields, at
        head = raw[start:at]
        if kind == 0:
            begin, (_, at) = at, varint(raw, at)
            content = raw[begin:at]
        elif kind == 3:
            begin = at
            _, at = split(raw, at, number)
            content = raw[begin : at - len(as_varint(number << 3 | 4))]
        else:
            length, at = varint(raw, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            content, at = raw[at : at + length], at + length
        fields.append((number, kind, head, content))
    return fields, at


def ordered(raw, descriptor):
    """The reference writes from the back, and so extensions and the entries of maps in descending order. Here they ascend."""
    own = descriptor.fields_by_number
    extensions = {e.number: e for e in descriptor.file.pool.FindAllExtensions(descriptor)}
    parts = []
    fields, _ = split(raw)
    is_any = descriptor.full_name == "google.protobuf.Any"
    for place, (number, kind, head, content) in enumerate(fields):
        field = own.get(number) or extensions.get(number)
        key = ()
        if is_any and number == 2:
            url = next(c for n, _, _, c in fields if n == 1).decode()
            content = ordered(content, descriptor.file.pool.FindMessageTypeByName(url.split("/")[-1]))
        elif field is not None and field.message_type is not None and kind in (2, 3):
            content = ordered(content, field.message_type)
            if field.message_type.GetOptions().map_entry:
                key = map_key(content, field.message_type.fields_by_number[1])
        if kind == 2:
            body = head + as_varint(len(content)) + content
        elif kind == 3:
            body = head + content + as_varint(number << 3 | 4)
        else:
            body = head + content
        rank = 0 if number in own else 1 if field is not None else 2
        parts.append(((rank, number if rank < 2 else 0, key, place), body))
    return b"".join(body for _, body in sorted(parts))


def map_key(entry, field):
    content = next((c for n, _, _, c in split(entry)[0] if n == 1), None)
    kinds = {"q": (field.TYPE_SFIXED64,), "Q": (field.TYPE_FIXED64,), "i": (field.TYPE_SFIXED32,), "I": (field.TYPE_FIXED32,)}
    form = next((form for form, types in kinds.items() if field.type in types), None)
    if field.type == field.TYPE_STRING:
        return (content or b"",)
    if content is None:
        return (0,)
    if form:
        return struct.unpack("<" + form, content)
    value, _ = varint(content, 0)
    if field.type in (field.TYPE_SINT32, field.TYPE_SINT64):
        value = value >> 1 ^ -(value & 1)
    elif field.type in (field.TYPE_INT32, field.TYPE_INT64) and value >= 2**63:
        value -= 2**64
    return (value,)


def delimited(messages):
    return b"".join(as_varint(len(message)) + message for message in messages)


# What fields are filled with.

DOUBLES = [0.0, -0.0, 1.0, -1.0, 0.1, 1.5, 1e20, 1e21, -1.5e21, 123456789012345680000.0, 1e-6, 1e-7, 5e-324, math.pi,
           1.7976931348623157e308, math.nan, math.inf, -math.inf, 9007199254740993.0, 1e15, 1e16, 1e17, 2.0**63, 1 / 3]
FLOATS = [0.0, -0.0, 1.0, 0.1, -2.5, 1e20, 1e21, 1e-6, 1e-7, 3.4028234663852886e38, 16777217.0, math.nan, math.inf,
          -math.inf, 1.17549435e-38, 33554432.0, 0.3]
STRINGS = ["", "a", "ä€𝄞", "\"\\/\b\f\n\r\t\0\x1f\x7f", "null", "\u2028\u2029", "{}", "x" * 200, "'", "?\\u0041", "\ufeff"]
BYTES = [b"", b"\0", b"\xff\xfe", b"abc", bytes(range(256)), b"\n\r\t\"'\\", "ä".encode()]


def whole(rnd, low, high):
    edges = [0, 1, low, high, low + 1, high - 1, 2**53 + 1, -(2**53) - 1, 127, 128, 16384]
    return rnd.choice([n for n in edges if low <= n <= high] + [rnd.randint(low, high)])


def scalar(field, rnd):
    d = field
    if d.type in (d.TYPE_DOUBLE,):
        return rnd.choice(DOUBLES + [struct.unpack("<d", rnd.randbytes(8))[0] for _ in range(3)])
    if d.type == d.TYPE_FLOAT:
        # Not larger: of two decimals that are equally near, either may be written.
        return rnd.choice(FLOATS + [rnd.uniform(-1, 1)])
    if d.type in (d.TYPE_INT32, d.TYPE_SINT32, d.TYPE_SFIXED32):
        return whole(rnd, -(2**31), 2**31 - 1)
    if d.type in (d.TYPE_INT64, d.TYPE_SINT64, d.TYPE_SFIXED64):
        return whole(rnd, -(2**63), 2**63 - 1)
    if d.type in (d.TYPE_UINT32, d.TYPE_FIXED32):
        return whole(rnd, 0, 2**32 - 1)
    if d.type in (d.TYPE_UINT64, d.TYPE_FIXED64):
        return whole(rnd, 0, 2**64 - 1)
    if d.type == d.TYPE_BOOL:
        return rnd.random() < 0.5
    if d.type == d.TYPE_STRING:
        return rnd.choice(STRINGS)
    if d.type == d.TYPE_BYTES:
        return rnd.choice(BYTES)
    numbers = [v.number for v in d.enum_type.values]
    if not d.enum_type.is_closed and d.enum_type.full_name != "google.protobuf.NullValue":
        numbers += [77, -5, 2**31 - 1]
    return rnd.choice(numbers)


def nan_is_quiet(value):
    """Which bits a NaN has is not in the JSON."""
    return math.nan if isinstance(value, float) and math.isnan(value) else value


class Filler:
    def __init__(self, oracle, rnd):
        self.oracle, self.rnd = oracle, rnd

    def fill(self, message, depth, share=0.35):
        descriptor, rnd = message.DESCRIPTOR, self.rnd
        known = getattr(self, "known_" + descriptor.name, None)
        if descriptor.full_name.startswith("google.protobuf.") and known:
            return known(message, depth)
        picked = {oneof.name: rnd.choice([None, *oneof.fields]) for oneof in descriptor.oneofs if len(oneof.fields) > 1}
        for field in descriptor.fields:
            oneof = field.containing_oneof
            if oneof is not None and oneof.name in picked:
                if picked[oneof.name] is not field:
                    continue
            elif not field.is_required and rnd.random() > share:
                continue
            self.field(message, field, depth)
        for extension in self.oracle.pool.FindAllExtensions(descriptor):
            if rnd.random() < share:
                self.extension(message, extension, depth)

    def field(self, message, field, depth):
        rnd = self.rnd
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map:
            entries = getattr(message, field.name)
            key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
            for _ in range(rnd.randint(1, 4)):
                at = scalar(key, rnd)
                if value.message_type is None:
                    entries[at] = nan_is_quiet(scalar(value, rnd))
                elif depth > 0:
                    entries[at].Clear()
                    self.fill(entries[at], depth - 1, 0.15)
        elif field.is_repeated:
            items = getattr(message, field.name)
            for _ in range(rnd.randint(1, 3)):
                if field.message_type is None:
                    items.append(nan_is_quiet(scalar(field, rnd)))
                elif depth > 0:
                    self.fill(items.add(), depth - 1, 0.15)
        elif field.message_type is None:
            setattr(message, field.name, nan_is_quiet(scalar(field, rnd)))
        elif depth > 0 or field.is_required:
            inner = getattr(message, field.name)
            inner.SetInParent()
            self.fill(inner, depth - 1, 0.15)

    def extension(self, message, field, depth):
        rnd = self.rnd
        if field.is_repeated:
            message.Extensions[field].extend(scalar(field, rnd) for _ in range(2))
        elif field.message_type is None:
            message.Extensions[field] = scalar(field, rnd)
        elif depth > 0:
            message.Extensions[field].SetInParent()
            self.fill(message.Extensions[field], depth - 1, 0.15)

    def known_Any(self, message, depth):
        names = ["oracle.Proto3", "oracle.Proto2.Need", "google.protobuf.Duration", "google.protobuf.Timestamp", "oracle.Known",
                 "google.protobuf.Int64Value", "google.protobuf.Empty", "google.protobuf.Value", "google.protobuf.FieldMask",
                 "google.protobuf.Any", "google.protobuf.StringValue", "oracle.Edition.Part"]
        if depth < 0:
            return
        inner = self.oracle.new(self.rnd.choice(names))
        self.fill(inner, depth - 1, 0.1)
        message.Pack(inner, deterministic=True)

    def known_Timestamp(self, message, depth):
        message.seconds = self.rnd.choice([0, 1, -1, -62135596800, 253402300799, 1700000000, -86400, 951782400])
        message.nanos = self.rnd.choice([0, 1, 1000, 1000000, 999999999, 120000000, 10])

    def known_Duration(self, message, depth):
        sign = self.rnd.choice([1, -1])
        message.seconds = sign * self.rnd.choice([0, 1, 315576000000 - 1, 3600])
        message.nanos = sign * self.rnd.choice([0, 1, 500000000, 999999999, 1000])

    def known_FieldMask(self, message, depth):
        message.paths.extend(self.rnd.choice([[], ["a"], ["foo_bar", "baz.qux_x"], ["a.b.c_d"]]))

    def known_Value(self, message, depth):
        rnd = self.rnd
        kind = rnd.randint(0, 5 if depth > 0 else 3)
        if kind == 0:
            message.null_value = 0
        elif kind == 1:
            message.number_value = rnd.choice([n for n in DOUBLES if math.isfinite(n)])
        elif kind == 2:
            message.string_value = rnd.choice(STRINGS)
        elif kind == 3:
            message.bool_value = rnd.random() < 0.5
        elif kind == 4:
            message.struct_value.SetInParent()
            self.known_Struct(message.struct_value, depth - 1)
        else:
            message.list_value.SetInParent()
            self.known_ListValue(message.list_value, depth - 1)

    def known_Struct(self, message, depth):
        # One entry: inside of an Any the reference writes maps in no order.
        for _ in range(self.rnd.randint(0, 1)):
            self.known_Value(message.fields[self.rnd.choice(STRINGS)], depth - 1)

    def known_ListValue(self, message, depth):
        for _ in range(self.rnd.randint(0, 3)):
            self.known_Value(message.values.add(), depth - 1)


# JSON as it is compared.


class Number(str):
    """The text of a number."""


def ecmascript(text):
    """A number of Python's JSON as ECMAScript writes it: 5.0 is 5, 1e+16 is 10000000000000000, 1e-07 is 1e-7."""
    sign, digits, exponent = Decimal(text).as_tuple()
    digits = "".join(map(str, digits)).lstrip("0")
    if not digits:
        return "-0" if sign else "0"
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    point = len(stripped) + exponent
    if -6 < point <= 21:
        if point <= 0:
            body = "0." + "0" * -point + stripped
        elif point >= len(stripped):
            body = stripped + "0" * (point - len(stripped))
        else:
            body = stripped[:point] + "." + stripped[point:]
    else:
        mantissa = stripped[0] + ("." + stripped[1:] if len(stripped) > 1 else "")
        body = f"{mantissa}e{point - 1:+d}"
    return ("-" if sign else "") + body


def same_form(text, numbers):
    """A JSON text with its members in one order and without blanks; numbers stay as they are written."""
    value = json.loads(text, parse_int=lambda t: Number(numbers(t)), parse_float=lambda t: Number(numbers(t)))

    def shown(value):
        if isinstance(value, Number):
            return str(value)
        if isinstance(value, dict):
            return "{" + ",".join(json.dumps(k) + ":" + shown(v) for k, v in sorted(value.items())) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(shown, value)) + "]"
        return json.dumps(value)

    return shown(value)


OPTIONS = {
    "canonical": {},
    "proto-names": {"preserving_proto_field_name": True},
    "defaults": {"always_print_fields_with_no_presence": True},
    "enum-numbers": {"use_integers_for_enums": True},
}


def make(folder):
    compile_sources(HERE, folder / "corpus.binpb", "service.proto")
    compile_sources(HERE, folder / "files.binpb", "service.proto", "options.proto", "seen.proto", source_info=True)
    bare = descriptor_pb2.FileDescriptorSet.FromString((folder / "files.binpb").read_bytes())
    bare.file.remove(next(file for file in bare.file if file.name == "notes.proto"))
    (folder / "bare.binpb").write_bytes(bare.SerializeToString())
    oracle = Oracle(folder)
    for name in TYPES:
        rnd = random.Random(name)
        messages = [oracle.new(name) for _ in range(CASES)]
        for number, message in enumerate(messages):
            Filler(oracle, rnd).fill(message, 3, rnd.choice([0.05, 0.2, 0.6]) if number else 0)
        (folder / f"{name}.wire").write_bytes(delimited(map(wire, messages)))
        for form, options in OPTIONS.items():
            lines = [oracle.json(m, **options) for m in messages]
            (folder / f"{name}.{form}.json").write_text("\n".join(lines) + "\n")
        texts = [text_format.MessageToString(m, as_one_line=True, descriptor_pool=oracle.pool) for m in messages]
        (folder / f"{name}.text").write_text("\x1e".join(t or "#" for t in texts) + "\x1e")
        odd = [odd_wire(oracle, name, wire(m), rnd) for m in messages[: CASES // 4]]
        (folder / f"{name}.odd.wire").write_bytes(delimited(odd))
        lines = [oracle.json(type(messages[0]).FromString(raw)) for raw in odd]
        (folder / f"{name}.odd.json").write_text("\n".join(lines) + "\n")
    inputs(oracle)
    text_inputs(oracle)


def odd_wire(oracle, name, raw, rnd):
    """What no encoder writes and every decoder takes: unknown fields and enum values, fields twice, packed or not."""
    extra = {
        "Proto2": [b"\x80\x01\x63", b"\xc0\x01\x63\xc0\x01\x03", b"\xca\x01\x03\x03\x63\x00", b"\xb2\x01\x02\x01\x02", b"\xb8\x01\x07",
                   b"\xda\x01\x05\x0a\x01k\x10\x07"],
        "Proto3": [b"\x80\x01\x63", b"\xe0\x01\x05\xe0\x01\x06", b"\x92\x01\x02\x18\x01\x92\x01\x02\x20\x02", b"\xc8\x02\x01\xd2\x02\x01z"],
        "Maps": [b"\x0a\x02\x08\x01", b"\x0a\x03\x12\x01x", b"\x0a\x05\x08\x01\x12\x01y\x0a\x05\x08\x01\x12\x01z", b"\x62\x00"],
        "Known": [b"\x7a\x02\x08\x01", b"\x12\x02\x08\x05\x12\x02\x10\x07"],
        "Edition": [b"\x20\x63", b"\x32\x02\x01\x02\x38\x01", b"\x8a\x01\x02\x02\x63", b"\x4b\x08\x01\x4c\x4b\x12\x01q\x4c",
                    b"\x62\x05\x0a\x01k\x10\x07"],
    }[name]
    unknown = [b"\xc0\x3e\x01", b"\xcd\x3e\x01\x02\x03\x04", b"\xc9\x3e" + b"\x01" * 8, b"\xc2\x3e\x02hi", b"\xc3\x3e\x08\x01\xc4\x3e"]
    return raw + rnd.choice(extra) + rnd.choice(unknown)


# JSON that may be good or bad: the oracle says.

VALUES = """0 -0 1 -1 1.0 1.5 1e3 1E2 1e-1 10e-1 -1e0 "0" "1" "-1" "1.0" "1.5" "1e3" "" "x" "NaN" "Infinity" "-Infinity" null true false
"true" [] {} [1] {"a":1} 2147483647 2147483648 -2147483648 -2147483649 4294967295 4294967296 9007199254740993 9223372036854775807
9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616 "18446744073709551615"
"9223372036854775807" "-9223372036854775809" 1e400 -1e400 1e39 3.4028235e38 -3.4028235e38 1e-400 5e-324 0.1 1e18 1e19 9.223372036854775e18
"ONE" "NIL" "SOME" "ANY_OF" "one" 77 "77" -1.0 "AQ" "AQ==" "-_8" "+/8=" "-_8=" "-_" "AR==" "AAB" "+_" "AR" "*" "A" "\\u0041" "\\ud834\\udd1e" """.split()

INPUTS = [
    ("Proto3", t) for t in """{} {"fInt32":1,"fInt32":2} {"fInt32":1,"f_int32":2} {"f_int32":1} {"pInt32":1,"pBool":true} {"pInt32":null,"pBool":true}
{"pNull":null} {"pNull":null,"pBool":true} {"pNull":"NULL_VALUE"} {"pNull":0} {"nosuch":1} {"fMessage":{}} {"fMessage":null} {"fMessage":{"fMessage":{"fInt32":3}}}
{"rInt32":[1,"2",3.0]} {"rInt32":[null]} {"rInt32":null} {"rInt32":1} {"rMessage":[{},{"fBool":true}]} {"rMessage":[null]} {"rInt32":[]} {"rOpen":["ONE",77,0]}
{"snakeCaseName":"a"} {"snake_case_name":"a"} {"snakecasename":"a"} {"OddName":"x"} {"_odd__name_":"x"} {"Näme":"x"} {"named":"x"} {"fInt32":1}x {"fInt32":1,}
[] 1 null "" {"fInt32" 1} {"fInt32":01} {"fInt32":+1} {"fInt32":.5} {"fInt32":1.} {"fString":"\\ud800"} {"fString":"\\x"} {fInt32:1} {'fInt32':1}
{"pTime":"2020-01-01T00:00:00Z"} {"fBool":tru} {"fInt32":1//c\n} {"o_double":-0} {"fDouble":-0} {"fDouble":"-0"} {"fFloat":-0.0} {"fInt32":-0}""".split()
] + [
    ("Maps", t) for t in """{"mInt32":{"1":"a","-1":"b"}} {"mInt32":{"x":"a"}} {"mInt32":{"1":null}} {"mInt32":{"1.0":"a"}} {"mInt32":{"":"a"}} {"mInt32":{"1":"a","1":"b"}}
{"mBool":{"true":"a","false":"b"}} {"mBool":{"1":"a"}} {"mBool":{"True":"a"}} {"mString":{"":"a"}} {"mString":null} {"mString":[]} {"mValue":{"a":null,"b":1}} {"mInt64":{"9223372036854775807":"-1"}}
{"mUint32":{"-1":1}} {"mUint64":{"18446744073709551615":"NaN"}} {"mFixed64":{"1":"ONE","2":5}} {"mFixed64":{"1":"TWO"}} {"mSfixed32":{"1":{}}} {"mSfixed32":{"1":null}}
{"mSfixed64":{"1":"2020-01-01T00:00:00.5+01:00"}} {"mMaps":{"a":{"mMaps":{"b":{}}}}} {"mInt32":{"2147483648":"a"}} {"mFixed32":{"1":"AQ=="}}""".split()
] + [
    ("Proto2", t) for t in """{"Grp":{}} {"grp":{"a":1}} {"many":[{"n":1}]} {"fEnum":"FIRST"} {"fEnum":3} {"fEnum":9} {"fEnum":"9"} {"fEnum":"NINE"} {"enums":["FIRST",0]} {"enums":[9]}
{"[oracle.ext_int]":5} {"[oracle.nosuch]":5} {"[oracle.ext_texts]":["a"]} {"[oracle.Holder.held]":{"id":"7"}} {"[oracle.extgrp]":{"x":"y"}} {"ext_int":1} {"withDefault":41} {"withDefault":0}
{"need":{}} {"need":{"must":1}} {"closedMap":{"a":"M_ONE"}} {"closedMap":{"a":7}} {"pickgrp":{"b":false}} {"other@Name":"x"} {"named":"x"} {"otherName":"x"}
{"any":{"@type":"type.googleapis.com/oracle.Proto2.Need","must":1}}""".split()
] + [
    ("Edition", t) for t in """{"required":{},"shut":"SHUT_A"} {"required":{},"shut":2} {"required":{},"shut":3} {"required":{},"wide":9} {"required":{},"implicit":0,"explicit":0}
{"required":{},"delimited":[{},{"n":1}],"right":{}} {"required":{},"[oracle.more]":{"n":1},"[oracle.counts]":[1,2]} {"required":{},"left":1,"right":{}} {"required":{},"number":-0}
{"required":{},"shuts":{"a":"M_ONE"}} {"required":{},"part":{"text":""}} {"required":{},"packed":[1],"expanded":[1,2]}""".split()
] + [
    ("Known", '{"%s":%s}' % pair) for pair in
    [("time", t) for t in '''"2020-01-01T00:00:00Z" "2020-01-01T00:00:00+01:00" "2020-01-01T00:00:00.123456789Z" "2020-01-01T00:00:00.1234567890Z" "2020-01-01T00:00:00.Z"
    "2020-02-30T00:00:00Z" "2020-01-01T24:00:00Z" "2020-01-01T23:59:60Z" "2020-01-01T00:00:00" "2020-01-01 00:00:00Z" "0001-01-01T00:00:00Z" "0001-01-01T00:00:00+00:01"
    "9999-12-31T23:59:59.999999999Z" "9999-12-31T23:59:59-00:01" "0000-01-01T00:00:00Z" "1969-12-31T23:59:59.5Z" "20-01-01T00:00:00Z" "" 1 null {} "2020-01-01T00:00:00-08:00"'''.replace(" 00:00:00Z", "_00:00:00Z").split()] +
    [("duration", t) for t in '''"1s" "-1s" "0s" "-0s" "1.5s" "-0.5s" "0.000000001s" "1.1234567890s" "1" "s" "" "1.s" ".5s" "315576000000s" "315576000001s" "-315576000000s" "315576000000.999999999s"
    "-315576000000.999999999s" "-315576000001s" "-.5s" "+-1s" ".s" "1e3s" "+1s" "1.5" 1 null'''.split()] +
    [("mask", t) for t in '''"" "a" "fooBar" "foo_bar" "fooBar,baz" "a.bC" "a," 1 [] null "FooBar"'''.split()] +
    [("value", t) for t in '''null 1 -0 1e400 "a" true [] {} [null,1,[]] {"a":{"b":null}} {"a":1,"a":2} "NaN"'''.split()] +
    [("struct", t) for t in '''{} {"a":1} null [] {"a":null}'''.split()] + [("list", t) for t in '''[] [1,"a",null] null {}'''.split()] +
    [("empty", t) for t in '''{} null {"a":1} []'''.split()] +
    [(w, t) for w in ["wDouble", "wFloat", "wInt64", "wUint64", "wInt32", "wUint32", "wBool", "wString", "wBytes"] for t in
     '''1 "1" -1 null true "a" {} {"value":1} "NaN" "AQ==" 0 -0 1.5 ""'''.split()] +
    [("null", t) for t in '''null "NULL_VALUE" 0 1 "x"'''.split()] +
    [("wrapped", t) for t in '''[1,"2"] [null] []'''.split()] + [("values", t) for t in '''[null,1] []'''.split()] +
    [("any", t) for t in '''{} null {"@type":""} {"@type":1} {"a":1} {"@type":"type.googleapis.com/no.Such","a":1} {"@type":"type.googleapis.com/oracle.Proto3"}
    {"@type":"type.googleapis.com/oracle.Proto3","fInt32":1} {"fInt32":1,"@type":"type.googleapis.com/oracle.Proto3"} {"@type":"x/oracle.Proto3","fInt32":1}
    {"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"} {"@type":"type.googleapis.com/google.protobuf.Duration"} {"value":"1s","@type":"type.googleapis.com/google.protobuf.Duration"}
    {"@type":"type.googleapis.com/google.protobuf.Int64Value","value":"5"} {"@type":"type.googleapis.com/google.protobuf.Value","value":null} {"@type":"type.googleapis.com/google.protobuf.Empty"}
    {"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/oracle.Maps","mBool":{"true":"x"}}} {"@type":"type.googleapis.com/oracle.Proto3","nosuch":1}
    {"@type":"type.googleapis.com/google.protobuf.Struct","value":{"a":[1]}} {"@type":"type.googleapis.com/oracle.Proto3","@type":"type.googleapis.com/oracle.Proto3"}'''.split()]
]


def inputs(oracle):
    """Every scalar field with every value, and what is listed above."""
    fields = oracle.pool.FindMessageTypeByName("oracle.Proto3").fields
    names = [f.json_name for f in fields if f.message_type is None and not f.is_repeated and f.containing_oneof is None]
    all_inputs = [("Proto3", '{"%s":%s}' % (name, value)) for name in names for value in VALUES] + INPUTS
    depth = lambda n: '{"fMessage":' * n + "{}" + "}" * n
    all_inputs += [("Proto3", depth(n)) for n in (1, 50, 98)]
    lines = []
    for name, text in all_inputs:
        try:
            verdict = base64.b64encode(wire(oracle.read(name, text))).decode()
        except (json_format.ParseError, EncodeError, UnicodeError, ValueError, RecursionError) as error:
            verdict = "bad " + re.sub(r"\s+", " ", str(error))[:80]
        lines.append("\t".join([name, json.dumps(text), verdict]))
    (oracle.folder / "inputs.tsv").write_text("\n".join(lines) + "\n")


TEXTS = [
    ("Proto3", t) for t in r"""f_int32: 1|f_int32: -1|f_int32: - 1|f_int32: 0x1F|f_int32: 017|f_int32: 08|f_int32: 2147483647|f_int32: 2147483648|f_int32: 1.0|f_int32: 1e3
f_int64: -9223372036854775808|f_uint64: 18446744073709551615|f_uint64: 18446744073709551616|f_uint32: -1|f_sint64: 5;|f_fixed32: 7,|f_int32 1|f_int32: "1"
f_double: 1|f_double: 1.5|f_double: .5|f_double: 1.|f_double: 1e10|f_double: 1.5f|f_double: 10F|f_double: inf|f_double: -inf|f_double: nan|f_double: infinity|f_double: Infinity|f_double: -0|f_double: 0x10|f_double: 1e400|f_float: 1e39|f_float: 0.1|f_double: 010
f_bool: true|f_bool: false|f_bool: t|f_bool: f|f_bool: True|f_bool: False|f_bool: 1|f_bool: 0|f_bool: 2|f_bool: yes|f_bool: -1
f_string: "a"|f_string: 'a'|f_string: "a" 'b' "c"|f_string: "\n\t\\\"\'\a\b\v\f\r\?"|f_string: "\101\x41\u0041\U0001F600"|f_string: "\400"|f_string: "a|f_string: a|f_string: "\xff"|f_string: "\q"|f_string: "\u00e4"
f_bytes: "\377\000"|f_bytes: "\xfF"|f_bytes: 'it'|f_open: ONE|f_open: 1|f_open: -1|f_open: 77|f_open: TWO|f_open: "ONE"|f_alias: ANY_OF
f_message { f_int32: 1 }|f_message: { f_int32: 1 }|f_message < f_int32: 1 >|f_message: < >|f_message {|f_message { > |f_message }|f_message { f_message { f_message { } } }
r_int32: 1 r_int32: 2|r_int32: [1, 2, 3]|r_int32: []|r_int32: [1,]|r_int32: [1 2]|r_int32: 1, r_int32: [2]|r_message { } r_message { f_bool: true }|r_message [{ }, { f_bool: true }]|r_message: [< >]
f_int32: 1 f_int32: 2|f_message { } f_message { }|p_int32: 1 p_bool: true|p_int32: 1 p_int32: 2|nosuch: 1|fInt32: 1|F_INT32: 1|f_int32: 1 # comment|# comment|f_int32: # comment|o_double: 0|p_null: NULL_VALUE""".replace("\n", "|").split("|")
] + [
    ("Proto2", t) for t in r"""Grp { a: 1 }|grp { a: 1 }|Many { n: 1 } Many { }|PickGrp { b: true }|pickgrp { }|[oracle.ext_int]: 5|[oracle.ext_texts]: "a" [oracle.ext_texts]: "b"|[oracle.ext_need] { must: 1 }|[oracle.extgrp] { x: "y" }|[ oracle . ext_int ]: 5|[oracle.nosuch]: 1
f_enum: FIRST|f_enum: 3|f_enum: 9|need { must: 1 }|need { }|named: "x"|[oracle.Holder.held] { id: 7 }|any { [type.googleapis.com/oracle.Proto2.Need] { must: 1 } }|any { type_url: "x" value: "y" }|any { [type.googleapis.com/no.Such] { } }|closed_map { key: "a" value: M_ONE }""".replace("\n", "|").split("|")
] + [
    ("Maps", t) for t in r"""m_int32 { key: 1 value: "a" }|m_int32 { key: 1 value: "a" } m_int32 { key: 1 value: "b" }|m_int32 { }|m_int32 { value: "a" }|m_int32 [{ key: 2 value: "b" }, { key: 1 value: "a" }]|m_bool { key: true value: "x" }|m_sfixed32 { key: -1 value { f_int32: 1 } }|m_int32: { key: 1 }""".split("|")
] + [
    ("Known", t) for t in r"""time { seconds: 1 nanos: 2 }|time: "2020-01-01T00:00:00Z"|any { [type.googleapis.com/google.protobuf.Duration] { seconds: 1 } }|value { number_value: 1 }|struct { fields { key: "a" value { null_value: NULL_VALUE } } }|w_int64 { value: 5 }|mask { paths: "a_b" paths: "c" }|empty { }""".split("|")
]


def text_inputs(oracle):
    """The same in the text format."""
    lines = []
    for name, text in TEXTS:
        try:
            message = text_format.Parse(text, oracle.new(name), descriptor_pool=oracle.pool)
            verdict = base64.b64encode(wire(message)).decode()
        except (text_format.ParseError, EncodeError, UnicodeError, ValueError, KeyError) as error:
            verdict = "bad " + re.sub(r"\s+", " ", str(error))[:80]
        lines.append("\t".join([name, json.dumps(text), verdict]))
    (oracle.folder / "texts.tsv").write_text("\n".join(lines) + "\n")


def report(differences, total):
    for number, expected, got in differences[:10]:
        print(f"case {number}\n  expected {expected[:600]}\n  got      {got[:600]}")
    print(f"{len(differences)} of {total} differ")
    sys.exit(1 if differences else 0)


def same_json(folder, name):
    expected = (folder / f"{name}.json").read_text().split("\n")[:-1]
    got = sys.stdin.read().split("\n")[:-1]
    if len(expected) != len(got):
        print(f"{len(got)} messages, expected {len(expected)}")
    differences = []
    for number, (a, b) in enumerate(zip(expected, got)):
        a, b = same_form(a, ecmascript), same_form(b, str)
        if a != b:
            differences.append((number, a, b))
    report(differences, len(expected) if len(expected) == len(got) else -1) if len(expected) == len(got) else sys.exit(1)


def same_text(folder, name):
    oracle = Oracle(folder)
    raw = (folder / f"{name}.wire").read_bytes()
    expected = []
    at = 0
    while at < len(raw):
        length, at = varint(raw, at)
        expected.append(raw[at : at + length])
        at += length
    got = sys.stdin.buffer.read().decode().split("\n")[:-1]
    if len(expected) != len(got):
        sys.exit(f"{len(got)} messages, expected {len(expected)}")
    differences = []
    for number, (a, text) in enumerate(zip(expected, got)):
        message = text_format.Parse(text, oracle.new(name), descriptor_pool=oracle.pool)
        b = wire(message)
        if a != b:
            differences.append((number, a.hex(), f"{text} {b.hex()}"))
    report(differences, len(expected))


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[2])
    commands = {"make": make, "same-json": same_json, "same-text": same_text, "same-files": same_files, "compile": compile_below}
    commands[sys.argv[1]](folder, *sys.argv[3:])
