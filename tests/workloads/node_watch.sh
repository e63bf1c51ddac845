# SPDX-License-Identifier: Apache-2.0
# node: fs.watch on a directory and on a file, fs.promises.watch, os.networkInterfaces.
# needs: node
cd "$1" && cat > w.js <<'J'
const fs = require('fs'), os = require('os');
os.networkInterfaces();
fs.mkdirSync('d'); fs.writeFileSync('d/f', 'x');
const seen = new Set();
const w = [fs.watch('d', (e, n) => seen.add('dir ' + e + ' ' + n)), fs.watch('d/f', (e, n) => seen.add('file ' + e + ' ' + n))];
const sleep = ms => new Promise(r => setTimeout(r, ms));
(async () => {
    const stop = new AbortController(), first = (async () => {
        for await (const e of fs.promises.watch('d', {signal: stop.signal})) return e.eventType + ' ' + e.filename;
    })();
    await sleep(50);
    fs.writeFileSync('d/new', '1');
    console.log(await first);
    fs.appendFileSync('d/f', 'more');
    fs.renameSync('d/f', 'd/g');
    fs.unlinkSync('d/new');
    for (let i = 0; i < 200 && !(seen.has('dir rename g') && seen.has('file rename f')); i++) await sleep(20);
    w.forEach(x => x.close());
    console.log([...seen].sort().join('\n'));
})();
J
node w.js
