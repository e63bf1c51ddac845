# SPDX-License-Identifier: Apache-2.0
# node: fs promises and streams, recursive mkdir, rm and cp, watchers, pipelines through zlib, worker pool of many reads.
# needs: node
# timeout: 120
cat > x.mjs <<'JS'
import fs from 'fs'; import fsp from 'fs/promises'; import zlib from 'zlib'; import { pipeline } from 'stream/promises'; import path from 'path'; import crypto from 'crypto';
const sum = b => crypto.createHash('sha256').update(b).digest('hex').slice(0, 12);
await fsp.mkdir('a/b/c', { recursive: true });
await Promise.all([...Array(60).keys()].map(i => fsp.writeFile(`a/b/f${i}`, Buffer.alloc(i * 1000, i))));
const all = await Promise.all((await fsp.readdir('a/b')).filter(n => n[0] == 'f').sort().map(async n => (await fsp.readFile(`a/b/${n}`)).length));
console.log(all.length, all.reduce((x, y) => x + y));
await pipeline(fs.createReadStream('a/b/f59'), zlib.createGzip(), fs.createWriteStream('z.gz'));
await pipeline(fs.createReadStream('z.gz'), zlib.createGunzip(), fs.createWriteStream('z'));
console.log(sum(fs.readFileSync('z')) == sum(fs.readFileSync('a/b/f59')));
fs.cpSync('a', 'copy', { recursive: true }); fs.symlinkSync('b/f3', 'a/l'); console.log(fs.readlinkSync('a/l'), fs.realpathSync('a/l').endsWith('a/b/f3'));
const h = await fsp.open('big', 'w+'); for (let i = 0; i < 64; i++) await h.write(Buffer.alloc(65536, i), 0, 65536, i * 65536);
await h.truncate(3000000); await h.datasync(); console.log((await h.stat()).size, (await h.read(Buffer.alloc(10), 0, 10, 2999995)).bytesRead); await h.close();
for (const f of [() => fs.readFileSync('no'), () => fs.mkdirSync('a'), () => fs.rmdirSync('a'), () => fs.readFileSync('a'), () => fs.renameSync('a', 'a/x'), () => fs.openSync('z', 'wx')])
  try { f(); } catch (e) { console.log(e.code, e.syscall); }
const seen = await new Promise(done => { const w = fs.watch('a', (t, n) => { w.close(); done(n); }); setTimeout(() => fs.writeFileSync('a/new', ''), 50); });
console.log(seen); for await (const e of await fsp.opendir('a')) if (!['b', 'l', 'new'].includes(e.name)) console.log('?', e.name);
await fsp.rm('copy', { recursive: true }); console.log(fs.existsSync('copy')); fs.appendFileSync('log', 'one\n'); fs.appendFileSync('log', 'two\n'); fs.utimesSync('log', 1, 2);
console.log(fs.statSync('log').mtimeMs, fs.accessSync('log') === undefined); fs.unlinkSync('x.mjs'); fs.unlinkSync('z.gz');
JS
node x.mjs; find . -exec touch -hd 2020-01-01 {} +
