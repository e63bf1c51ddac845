# SPDX-License-Identifier: Apache-2.0
# python: zipfile, tarfile, shutil, tempfile, glob, pathlib, os.walk, gzip/bz2/lzma.
# places: overlay
# needs: python3
cat > .tmp/p.py <<'P'
import bz2, glob, gzip, lzma, os, pathlib, shutil, tarfile, tempfile, zipfile
p = pathlib.Path("d/e"); p.mkdir(parents=True)
for i in range(30):
    (p / ("f%d" % i)).write_bytes(bytes(range(256)) * i)
os.symlink("f1", p / "s"); os.link(p / "f2", p / "h"); os.mkfifo(p / "pipe"); os.utime(p / "f3", ns=(10**18 + 5, 10**18 + 7))
with tarfile.open("t.tar", "w") as t:
    t.add("d")
with tarfile.open("t.tar") as t:
    print(sorted((m.name, m.type, m.size) for m in t.getmembers())); t.extractall("out")
shutil.make_archive("z", "zip", "d") ; shutil.unpack_archive("z.zip", "unz")
print(sorted(zipfile.ZipFile("z.zip").namelist()), zipfile.ZipFile("z.zip").testzip())
os.remove("d/e/pipe"); shutil.copytree("d", "copy", symlinks=True); shutil.move("copy", "moved"); shutil.rmtree("moved/e", ignore_errors=False)
for module in (bz2, gzip, lzma):
    data = module.compress(b"abc" * 100000); print(module.__name__, module.decompress(data) == b"abc" * 100000)
with tempfile.TemporaryDirectory() as d:
    with tempfile.NamedTemporaryFile(dir=d) as f, tempfile.TemporaryFile(dir=d) as g:
        f.write(b"x"); f.flush(); g.write(b"y" * 5000); g.seek(0); print(len(g.read()), os.listdir(d) == [os.path.basename(f.name)])
print(sorted(glob.glob("**/f1*", recursive=True)), shutil.disk_usage(".").total > 0)
print([(os.path.relpath(a, "."), sorted(b), len(c)) for a, b, c in sorted(os.walk("out"))])
os.sendfile; a = open("big", "wb"); a.truncate(1 << 20); a.seek(500000); a.write(b"mid"); a.close()
shutil.copyfile("big", "big2"); print(os.stat("big2").st_size); os.replace("big2", "big3"); print(os.access("big3", os.X_OK))
os.setxattr("big3", "user.a", b"1" * 100); print(os.listxattr("big3")); shutil.copy2("big3", "big4"); print(os.getxattr("big4", "user.a"))
P
python3 .tmp/p.py; rm -f .tmp/p.py t.tar z.zip
