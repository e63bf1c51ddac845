# SPDX-License-Identifier: Apache-2.0
# Node writes, reads, lists and removes files, 32 at a time, through its pool of threads.
exec node - "$1" <<'P'
const fs = require('fs').promises, dir = process.argv[2];
(async () => {
    const start = process.hrtime.bigint();
    for (let round = 0; round < 20; round++) {
        const names = [...Array(32).keys()].map(i => `${dir}/f${i}`);
        await Promise.all(names.map(n => fs.writeFile(n, 'x'.repeat(2000))));
        await Promise.all(names.map(async n => { await fs.stat(n); return fs.readFile(n); }));
        await fs.readdir(dir);
        await Promise.all(names.map(n => fs.unlink(n)));
    }
    console.log(String(process.hrtime.bigint() - start));
})();
P
