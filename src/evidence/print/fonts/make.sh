#!/bin/sh
# Makes the fonts of the printed PDF anew: subsets of Noto Sans and Noto Sans CJK SC (Debian packages
# fonts-noto-core and fonts-noto-cjk; needs pyftsubset of the package fonttools). Run it after a text
# in ../words changed; a test says so where a character is missing. The same packages give the same
# bytes.
#
# usage: make.sh [folder with the unpacked packages; / if left out]
set -eu
cd "$(dirname "$0")"
root=${1:-}
latin=$root/usr/share/fonts/truetype/noto
chinese=$root/usr/share/fonts/opentype/noto
export SOURCE_DATE_EPOCH=1

# European letters, Greek, Cyrillic, punctuation, currency, arrows and a few signs.
europe='U+0020-007E,U+00A0-017F,U+0192,U+0218-021B,U+0370-03FF,U+0400-045F,U+0490-0491,U+1E9E,U+2010-2027,U+202F,U+2030-203A,U+2044,U+20AC,U+2116,U+2122,U+2190-2193,U+2212,U+2260,U+2264-2265,U+FFFD'

# Every character beyond ASCII of the Chinese texts, of the Chinese letters, and common ones of names.
characters=$(mktemp)
trap 'rm -f "$characters"' EXIT
cat ../words/zh.rs ../words/phrases.rs ../words/residues.rs ../language.rs ../../../rights/letters/zh/*.txt common.txt \
  >"$characters"

subset() {
  pyftsubset "$1" --font-number="$2" --output-file="$3" --layout-features='kern,liga,mark,mkmk,ccmp,locl' \
    --name-IDs='0,1,2,3,4,5,6,13,14' --no-hinting --desubroutinize --notdef-outline "$4"
}

for weight in Regular Bold; do
  name=$(echo "$weight" | tr 'RB' 'rb')
  subset "$latin/NotoSans-$weight.ttf" 0 "latin-$name.ttf" "--unicodes=$europe"
  # Number 2 of the collection is the one for simplified characters.
  subset "$chinese/NotoSansCJK-$weight.ttc" 2 "chinese-$name.otf" "--text-file=$characters"
done
