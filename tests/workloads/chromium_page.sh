# SPDX-License-Identifier: Apache-2.0
# Chromium, headless: a page of a file, drawn into a picture that has the page's colours where it should.
# needs: chromium python3
# timeout: 180
cd "$1" && export HOME="$1"
cat > page.html <<'H'
<html><body style="margin:0;background:#204080"><div id=d style="width:200px;height:100px"></div>
<script>document.getElementById("d").style.background = "#c0" + "2020"; document.title = [1, 2, 3].map(n => n * n).join()</script>
</body></html>
H
flags="--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-dev-shm-usage --window-size=400,300 --user-data-dir=$1/profile"
timeout -k 5 80 chromium $flags --screenshot="$1/page.png" "file://$1/page.html" > log 2>&1 || { echo "chromium: $?"; tail -5 log; }
cat > png.py <<'P'
import struct, sys, zlib
data, at, pixels = open(sys.argv[1], "rb").read(), 8, b""
while at < len(data):
    size, kind = struct.unpack(">I4s", data[at:at + 8])
    body = data[at + 8:at + 8 + size]
    if kind == b"IHDR":
        width, height, depth, color = struct.unpack(">IIBB", body[:10])
    elif kind == b"IDAT":
        pixels += body
    at += size + 12
step = {2: 3, 6: 4}[color]
raw, line, rows = zlib.decompress(pixels), bytes(width * step), []
for y in range(height):
    kind, row = raw[y * (width * step + 1)], bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
    for x in range(len(row)):
        a, b, c = (row[x - step] if x >= step else 0), line[x], (line[x - step] if x >= step else 0)
        p = a + b - c
        paeth = min((abs(p - v), i, v) for i, v in enumerate((a, b, c)))[2]
        row[x] = row[x] + (0, a, b, (a + b) // 2, paeth)[kind] & 255
    line = bytes(row)
    rows.append(line)
at = lambda x, y: rows[y][x * step:x * step + 3].hex()
print(depth, width, at(10, 10), at(199, 99), at(205, 50), at(100, 120))
P
python3 png.py page.png
timeout -k 5 80 chromium $flags --dump-dom "file://$1/page.html" 2>/dev/null | grep -c "192, 32, 32"
