# SPDX-License-Identifier: Apache-2.0
# npm, offline: pack a local package, install it and a linked one, run scripts, npx, ls, ci from a lock file.
# needs: npm node
# timeout: 180
export npm_config_offline=true npm_config_cache=$PWD/.tmp/c npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
mkdir lib app && cd lib
printf '{"name":"lib","version":"1.2.3","main":"i.js","bin":{"say":"say.js"}}' > package.json
echo 'module.exports = x => x * 2' > i.js
printf '#!/usr/bin/env node\nconsole.log("say", process.argv[2])\n' > say.js; chmod +x say.js
npm pack --silent; cd ../app
printf '{"name":"app","version":"1.0.0","scripts":{"start":"node -p \\"require(String.fromCharCode(108,105,98))(21)\\"","test":"exit 4"}}' > package.json
npm install --silent ../lib/lib-1.2.3.tgz; npm start --silent; npm test --silent; echo $?
./node_modules/.bin/say hi; npm ls
rm -rf node_modules; npm ci --silent; cat package-lock.json | tr -d ' \n' | md5sum; find node_modules | sort
cd ..; rm -rf .tmp/c .npm; find . -exec touch -hd 2020-01-01 {} +
