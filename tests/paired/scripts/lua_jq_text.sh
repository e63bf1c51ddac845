# SPDX-License-Identifier: Apache-2.0
# lua, jq, column, tclsh and other small interpreters over files, pipes and processes.
# needs: lua5.4 jq column tclsh
lua5.4 -e 'local f = assert(io.open("f", "w")); for i = 1, 1000 do f:write(i, "\n") end; f:close(); local n = 0
for l in io.lines("f") do n = n + tonumber(l) end; print(n); local p = io.popen("wc -l < f"); print(p:read("n")); p:close()
print(os.rename("f", "g"), os.rename("none", "x")); print(os.execute("exit 3")); print(io.open("none")); print(os.remove("none"))
local t = io.tmpfile(); t:write("abc"); t:seek("set", 1); print(t:read("a")); print(os.getenv("USER"), os.time{year=2020,month=1,day=1,hour=0})'
jq -n '[range(5)] | {sum: add, list: .}' > j; jq -c . j; jq -r '.list[] | select(. > 2)' j; jq '.x' <<< '{bad' 2> /dev/null; echo $?
printf 'a bb ccc\ndddd e f\n' | column -t; echo 'puts [expr 6*7]; set f [open t w]; puts $f text; close $f; puts [file size t]
puts [exec wc -c < t]; puts [lsort [glob *]]; if {[catch {open none} m]} {puts $m}; after 50 {set done 1}; vwait done; puts done' | tclsh
wc -c g j t; hexdump -C t; xxd t | xxd -r | cmp - t && echo xxd; iconv -f utf-8 -t latin1 <<< ü | od -tx1; look 99 g
