"""Finds addresses in a text: URLs, short links, domains, IP addresses, and those that are disguised.

The carriers publish no pattern. Huawei says of China Telecom 链接（含短链）或域名 (notice of 2025-05-20), Baidu
names IP addresses too; so whatever a person or a simple filter takes for an address is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


def words(text: str) -> frozenset[str]:
    """The words between blanks."""
    return frozenset(text.split())


VALUE = "\0"
"""Stands for each character of a placeholder."""
_NAME = r"a-z0-9_\0\-"
_REST = r"a-z0-9\-._~:/?#@$&*+=%\0"
_ALONE = rf"(?<![{_NAME}@%.])"
_PATH = rf"(?::\d{{1,5}}(?!\d))?(?:[/?#][{_REST}]*)?"

_URL = re.compile(rf"https?:/{{1,2}}(?:\[[0-9a-f:.]{{2,45}}\])?[{_REST}]*|{_ALONE}www\.[{_REST}]+")
_HOST = re.compile(rf"{_ALONE}[{_NAME}]{{1,63}}(?:\.[{_NAME}]{{1,63}}){{1,20}}(?![{_NAME}@])")
_AFTER = re.compile(_PATH)
_HAN_HOST = re.compile(
    r"[\u4e00-\u9fff]{1,2}\.(?:com|cn|net|org|cc|top|vip|xyz)(?![a-z0-9-])"
    r"|(?:[\u4e00-\u9fff]{1,2}|(?<![a-z0-9-])[a-z0-9-]{1,63})\.(?:(?:中国|公司|网络|网址|集团|在线|中文网)(?![\u4e00-\u9fff]))"
)
_NUMBERS = re.compile(
    r"(?<![0-9a-z.])(?<!版本)(?<!版本号)(?<!固件)(?<![级新][到至])(?:(?:25[0-5]|2[0-4]\d|1?\d{1,2})\.){3}"
    r"(?:25[0-5]|2[0-4]\d|1?\d{1,2})(?!\.?[0-9a-z])"
    rf"{_PATH}|\[(?:[0-9a-f:]{{0,39}}::[0-9a-f:.]{{0,39}}|(?:[0-9a-f]{{1,4}}:){{7}}[0-9a-f]{{1,4}})\]"
)
_DISGUISED = re.compile(
    r"(?:(?<![a-z0-9-])(?![0-9]{1,2}点)[a-z0-9-]{1,63}|(?<![a-z0-9\u4e00-\u9fff-])[\u4e00-\u9fff]{1,4}|[\u4e00-\u9fff]|\0)"
    r"(?:\s{0,2}[\[(]?(?<![地景站时网])[点。][\])]?\s{0,2}|\s{0,2}[\[(](?:dot|\.)[\])]\s{0,2}|\s{1,2}dot\s{1,2})"
    r"(?:com|cn|net|org)(?![a-z0-9-])"
)
_SPACED = re.compile(r"(?<![a-z0-9.-])[a-z0-9-]{2,63}(\s{0,2})\.(\s{0,2})(com|cn|net|org)(?![a-z0-9-])")

COMMON: Final = words("com cn net org edu gov top vip xyz")
"""Endings that make a domain of any name, also of digits."""
_GENERIC = """
academy agency ai app art asia band bank bar beauty beer best bet bid bike biz black blog blue boats bond boutique
build business buzz cab cafe camera camp capital car cards care career casa cash casino center chat christmas church
city cleaning click clinic clothing cloud club codes coffee college community company computer cool coop country
coupons credit cricket cruises cyou dance date dating deals delivery design dev digital direct directory discount dog
download education email energy engineering equipment estate events exchange expert express fail faith family fan fans
farm fashion film finance fish fit fitness flights florist fm football forsale forum foundation fund furniture fyi
gallery game games garden gift gifts global gmbh gold golf graphics green group guide guru hair health help holiday
homes horse hospital host hosting house icu immo inc info ink institute insure int international investments jewelry
jobs kim land law legal life lighting limited link live llc loan loans lol love ltd luxe makeup management market
marketing mba media men mil mobi mom money monster motorcycles movie museum name network news ninja one online page
partners parts party pet photo photography photos pics pink pizza plus poker post press pro promo properties pub quest
racing red ren rent rentals repair report rest restaurant review reviews rich rip rocks run sale sbs school science
services sexy shoes shop shopping show site ski skin social software solar solutions space sport store stream studio
style support surf sydney systems tax taxi team tech technology tel tennis theater tickets tips tires today tools
tours town toys trade trading training travel tube university vacations ventures vet video villas vin vision vote
voyage wang watch webcam website wedding wiki win wine work works world yachts yoga zone
"""
_COUNTRIES = """
ac ad ae af ag al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cc cd cf cg
ch ci ck cl cm co cr cu cv cw cx cy cz de dj dk dm do dz ec ee er es et eu fi fj fk fo fr ga gd ge gf gg gh gi gl gm
gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky
kz la lb lc li lk lr ls lt lu lv ly ma mc me mg mh mk mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl
no np nr nu nz om pa pe pf pg ph pk pn pr pt pw qa re ro ru rw sa sb sc sd se sg si sk sl sm sn sr ss st su sv sx sz
tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
"""
"""Of all countries, except those that are better known as endings of files: md, ps, pl, pm, py, rs, sh, so."""
ENDINGS: Final = COMMON | words(_GENERIC) | words(_COUNTRIES)
_ENGLISH = words("am as at be by do id in is it me my no so to us")
"""Endings that are words: after them a blank and a letter go on with the sentence."""
SHORTENERS: Final = words("t.me t.co g.co u.to v.gd x.co j.mp b.tt y.ps s.id w.url")
"""Hosts with one letter before the ending of a country; t.cn, dwz.cn and url.cn are found as any other .cn."""
NO_DOMAINS: Final = words("asp.net ado.net vb.net co.ltd mr.li mr.ma dr.li dr.ma")


@dataclass(frozen=True, slots=True)
class Address:
    """A place in a folded text that is an address."""

    start: int
    end: int
    is_domain: bool = True
    """False for an IP address, and for what only a person reads as an address."""
    is_disguised: bool = False
    is_certain: bool = True
    """Whether nothing else is written so: a URL, or a domain with an ending of COMMON."""

    @property
    def place(self) -> tuple[int, int]:
        return self.start, self.end


def addresses(plain: str, raw: str) -> list[Address]:
    """The addresses of a folded text in their order; where two overlap, the first; `raw` has its letters as written."""
    found = [*_urls(plain, raw), *_domains(plain, raw), *_numbers(plain, raw), *_disguised(plain, raw)]
    kept: list[Address] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def _urls(plain: str, raw: str) -> Iterator[Address]:
    for found in _URL.finditer(plain):
        yield Address(found.start(), _without_stop(plain, raw, *found.span()))


def _domains(plain: str, raw: str) -> Iterator[Address]:
    stop = 0
    for found in _HOST.finditer(plain):
        # A name in the path of the one before is no other address.
        end, certain = _end_of_domain(plain, raw, *found.span()) if found.start() >= stop else (0, False)
        if end:
            after = _AFTER.match(plain, end)
            stop = _without_stop(plain, raw, found.start(), after.end() if after else end)
            yield Address(found.start(), stop, is_certain=certain)
    for found in _HAN_HOST.finditer(plain):
        if raw[found.end() - 4 : found.end()] not in (".NET", ".Net"):
            yield Address(*found.span(), is_certain=False)


def _end_of_domain(plain: str, raw: str, start: int, end: int) -> tuple[int, bool]:
    """Where a dot-name has its last known ending, and whether that is certain; 0 where it has none."""
    labels = plain[start:end].split(".")
    while len(labels) > 1:
        ending, name = labels[-1].rstrip(VALUE), labels[-2]
        stop = start + len(".".join(labels[:-1])) + 1 + len(ending)
        if f"{name}.{ending}" in NO_DOMAINS or _is_sentence(plain, raw, stop, ending):
            pass
        elif ending in COMMON and name.strip("-"):
            return stop, VALUE not in name
        elif ending in ENDINGS and _is_named(name, ending):
            return stop, False
        labels.pop()
    return 0, False


def _is_named(name: str, ending: str) -> bool:
    host = f"{name}.{ending}"
    return host in SHORTENERS or (len(name) > 1 and re.search("[a-z]", name) is not None)


def _is_sentence(plain: str, raw: str, stop: int, ending: str) -> bool:
    """Whether a dot with no blank after it only ends a sentence: `your code.Do not`, `your code.in 5 minutes`."""
    goes_on = ending in _ENGLISH and re.match(r"\s[a-z0-9\0]", plain[stop : stop + 2]) is not None
    return goes_on or (ending not in ("com", "cn") and raw[stop - len(ending) : stop].istitle())


def _numbers(plain: str, raw: str) -> Iterator[Address]:
    for found in _NUMBERS.finditer(plain):
        yield Address(found.start(), _without_stop(plain, raw, *found.span()), is_domain=False, is_certain=False)


def _disguised(plain: str, raw: str) -> Iterator[Address]:
    for found in _DISGUISED.finditer(plain):
        yield Address(*found.span(), is_domain=False, is_disguised=True, is_certain=False)
    for found in _SPACED.finditer(plain):
        before, after, ending = found.groups()
        # "… is valid. CN numbers only" is two sentences; the blank before the dot is no slip.
        if before or (after and raw[found.start(3) : found.end(3)] == ending):
            yield Address(*found.span(), is_domain=False, is_disguised=True, is_certain=False)


def _without_stop(plain: str, raw: str, start: int, end: int) -> int:
    """The end without the punctuation that closes a sentence; Chinese punctuation is in no address."""
    shown = re.split("[，；！？：（）［］＂＇＆＝＃]", raw[start:end], maxsplit=1)[0]
    return start + len(plain[start : start + len(shown)].rstrip(".,;:!?)'"))
