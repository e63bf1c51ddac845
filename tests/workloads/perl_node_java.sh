# SPDX-License-Identifier: Apache-2.0
# perl, node and java start and print.
# needs: perl node java
# timeout: 120
cd "$1"
perl -e 'print join(",", map { $_ ** 2 } 1..5), "\n"; open F, ">x"; print F "y\n"; close F; print -s "x", "\n";'
node -e 'const fs=require("fs"); fs.writeFileSync("n", "node"); console.log(fs.readFileSync("n","utf8"), [1,2,3].map(x=>x*2)); require("child_process").exec("echo child",(e,o)=>{console.log(o.trim()); setTimeout(()=>console.log("later"),20)})'
java -version 2>&1 | head -1 | sed 's/".*"//'
