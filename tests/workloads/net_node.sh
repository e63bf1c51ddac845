# SPDX-License-Identifier: Apache-2.0
# node: an http server and 200 requests to it, keep-alive and not; a TCP server; a datagram; a port that is taken.
# needs: node
# timeout: 120
cd "$1"
cat > web.js << 'END'
const http = require('http'), net = require('net'), dgram = require('dgram');
const get = (port, agent) => new Promise((done, fail) => http.get({host: '127.0.0.1', port, agent, path: '/x?y=1'}, r => {
    let s = ''; r.on('data', d => s += d); r.on('end', () => done(r.statusCode + s)); }).on('error', fail));
(async () => {
    const server = http.createServer((q, r) => r.end(q.method + q.url + 'z'.repeat(20000)));
    await new Promise(up => server.listen(0, '127.0.0.1', up));
    const port = server.address().port, agent = new http.Agent({keepAlive: true, maxSockets: 8});
    const got = await Promise.all(Array.from({length: 200}, (_, i) => get(port, i % 2 ? agent : false)));
    console.log('answers:', got.filter(s => s === '200GET/x?y=1' + 'z'.repeat(20000)).length);
    const taken = http.createServer();
    taken.on('error', e => console.log('taken:', e.code));
    taken.listen(port, '127.0.0.1');
    await new Promise(next => setTimeout(next, 50));
    agent.destroy(); server.close(); server.closeAllConnections && server.closeAllConnections();
    await get(port, false).catch(e => console.log('closed:', e.code));
    const echo = net.createServer(s => s.pipe(s)).listen(0, '::1');
    await new Promise(up => echo.on('listening', up));
    const c = net.connect(echo.address().port, '::1'); let n = 0;
    c.on('data', d => { n += d.length; if (n === 1000000) c.end(); }); c.write(Buffer.alloc(1000000));
    await new Promise(end => c.on('close', end)); echo.close(); console.log('echoed:', n);
    const u = dgram.createSocket('udp4');
    u.on('message', m => { console.log('datagram:', m.toString()); u.close(); });
    const d = dgram.createSocket('udp4');
    u.bind(0, '127.0.0.1', () => d.send('hello', u.address().port, '127.0.0.1', () => d.close()));
})();
END
node web.js
