# SPDX-License-Identifier: Apache-2.0
# The start of a Java machine, from source to "hello".
cd "$1"
echo 'public class Hello { public static void main(String[] a) { System.out.println("hello"); } }' > Hello.java
start=$(date +%s%N)
java -XX:+UseSerialGC Hello.java > /dev/null
echo $(($(date +%s%N) - start))
