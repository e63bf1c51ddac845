# SPDX-License-Identifier: Apache-2.0
# python: shutil's copies, moves and archives, pathlib, glob, os.walk and scandir, tempfile, os.link and friends, errors.
# needs: python3
python3 - <<'PY'
import errno, glob, os, pathlib, shutil, stat, tempfile
def tried(f, *a, **k):
    try:
        return f(*a, **k)
    except OSError as e:
        return errno.errorcode[e.errno]
base = pathlib.Path("src")
for i in range(40):
    d = base / ("d%d" % (i % 5)) / ("e%d" % (i % 2))
    d.mkdir(parents=True, exist_ok=True)
    (d / ("f%02d.txt" % i)).write_bytes(bytes(range(256)) * i)
    os.chmod(d / ("f%02d.txt" % i), 0o600 + i % 8)
os.symlink("d0/e0/f00.txt", base / "link"); os.symlink("nowhere", base / "dead"); os.symlink("d1", base / "dirlink")
shutil.copytree(base, "copy", symlinks=True); shutil.copytree(base, "deep", ignore_dangling_symlinks=True)
print(sum(len(f) for _, _, f in os.walk("copy")), sum(len(f) for _, _, f in os.walk("deep")))
print(sorted(glob.glob("src/**/*[05].txt", recursive=True))); print(sorted(p.name for p in base.rglob("e1")))
for e in sorted(os.scandir(base), key=lambda e: e.name):
    print(e.name, e.is_dir(), e.is_file(), e.is_symlink(), e.is_dir(follow_symlinks=False))
shutil.make_archive("arch", "zip", "copy"); shutil.unpack_archive("arch.zip", "unpacked"); os.remove("arch.zip")
print(sorted(os.listdir("unpacked")))
shutil.move("deep/d0", "moved"); shutil.move("moved", "deep/back"); print(tried(os.rmdir, "deep"), tried(os.rename, "src", "src/d0/x"))
os.link("copy/link", "hard", follow_symlinks=False); print(os.path.islink("hard"), os.lstat("hard").st_nlink)
print(tried(os.mkdir, "src"), tried(os.link, "src", "y"), tried(os.truncate, "src", 0), tried(open, "src/dead/x"), tried(os.unlink, "src"))
with tempfile.TemporaryDirectory(dir=".") as t, tempfile.NamedTemporaryFile(dir=t) as f, tempfile.TemporaryFile(dir=t) as g:
    f.write(b"x" * 100000); f.flush(); g.write(b"y"); print(os.stat(f.name).st_size, os.fstat(g.fileno()).st_nlink, len(os.listdir(t)))
fd = os.open("src", os.O_RDONLY); print(sorted(os.listdir(fd))); print(tried(os.open, "d0/e0/f00.txt", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd))
os.replace("src/d1", "d1", ) if False else os.replace("src/d2", "src/d9"); print(os.path.exists("src/d2"), os.access("src/d9", os.W_OK, dir_fd=None))
shutil.rmtree("copy"); shutil.rmtree("deep"); print(shutil.disk_usage(".").total > 0, stat.filemode(os.stat("src/d9").st_mode))
with open("holes", "wb") as f:
    f.seek(1 << 20); f.write(b"end"); os.posix_fallocate(f.fileno(), 0, 4096)
print(os.copy_file_range(os.open("holes", os.O_RDONLY), os.open("holes2", os.O_CREAT | os.O_WRONLY), 1 << 20), os.path.getsize("holes"))
PY
find . -exec touch -hd 2020-01-01 {} +
