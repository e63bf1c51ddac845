# SPDX-License-Identifier: Apache-2.0
# node: fs, streams, worker_threads, child_process, cluster, zlib, crypto, timers.
# needs: node
cat > .tmp/p.js <<'P'
const fs = require('fs'), cp = require('child_process'), zlib = require('zlib'), crypto = require('crypto');
const { Worker } = require('worker_threads'), { pipeline } = require('stream/promises'), path = require('path');
(async () => {
  fs.mkdirSync('a/b/c', { recursive: true }); fs.writeFileSync('a/f', 'x'.repeat(100000), { mode: 0o640 });
  fs.symlinkSync('f', 'a/l'); fs.linkSync('a/f', 'a/b/h'); fs.utimesSync('a/f', 1e9, 1e9); console.log(fs.readlinkSync('a/l'), fs.realpathSync('a/l') === path.resolve('a/f'));
  await pipeline(fs.createReadStream('a/f'), zlib.createGzip(), zlib.createGunzip(), fs.createWriteStream('a/copy'));
  console.log(crypto.createHash('sha256').update(fs.readFileSync('a/copy')).digest('hex'));
  fs.cpSync('a', 'z', { recursive: true }); fs.copyFileSync('a/f', 'g', fs.constants.COPYFILE_FICLONE); fs.renameSync('g', 'h'); fs.truncateSync('h', 10);
  try { fs.rmdirSync('a'); } catch (e) { console.log(e.code); } try { fs.openSync('none'); } catch (e) { console.log(e.message); }
  console.log(fs.readdirSync('a', { withFileTypes: true }).map(d => d.name + d.isDirectory() + d.isSymbolicLink()));
  const run = n => new Promise((ok, no) => { const w = new Worker(`const {parentPort, workerData: n} = require('worker_threads');
    let s = 0; for (let i = 0; i < n; i++) s += i; parentPort.postMessage(s)`, { eval: true, workerData: n }); w.on('message', ok); w.on('error', no); });
  console.log(await Promise.all([1e5, 2e5, 3e5, 4e5].map(run)));
  const s = new SharedArrayBuffer(8), v = new Int32Array(s);
  const w = new Worker(`const v = require('worker_threads').workerData; Atomics.store(v, 0, 7); Atomics.notify(v, 0)`, { eval: true, workerData: v });
  Atomics.wait(v, 0, 0, 5000); console.log(v[0]); await new Promise(ok => w.on('exit', ok));
  console.log(cp.execSync('echo $((6*7))').toString(), cp.spawnSync('sh', ['-c', 'echo e >&2; kill -9 $$']).signal);
  const c = cp.spawn('tr', ['a-z', 'A-Z']); let out = ''; c.stdout.on('data', d => out += d); c.stdin.end('hello'); console.log(await new Promise(ok => c.on('close', code => ok([code, out]))));
  console.log(await new Promise(ok => { const k = cp.fork(process.argv[1], ['child']); k.on('message', ok); k.send({ n: 20 }); }));
  const watched = new Promise(ok => { const t = fs.watch('z', (e, f) => { t.close(); ok(f); }); }); setTimeout(() => fs.writeFileSync('z/new', ''), 100); console.log(await watched);
})();
P
sed -i '1i if (process.argv[2] === "child") { process.on("message", m => { process.send(m.n + 1); process.disconnect(); }); return; }' .tmp/p.js
node .tmp/p.js
cat > .tmp/c.js <<'P'
const cluster = require('cluster'), http = require('http');
if (cluster.isPrimary) {
  let ready = 0; for (let i = 0; i < 3; i++) cluster.fork();
  cluster.on('listening', async (w, a) => { if (++ready < 3) return; const all = [];
    for (let i = 0; i < 20; i++) all.push(new Promise(ok => http.get({ port: a.port, host: '127.0.0.1', agent: false }, r => { let s = ''; r.on('data', d => s += d); r.on('end', () => ok(s)); })));
    console.log((await Promise.all(all)).filter(s => s === 'fine').length); cluster.disconnect(() => console.log('bye')); });
} else http.createServer((q, r) => r.end('fine')).listen(18433, '127.0.0.1');
P
node .tmp/c.js; rm .tmp/*.js
