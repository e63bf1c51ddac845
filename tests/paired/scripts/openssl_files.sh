# SPDX-License-Identifier: Apache-2.0
# openssl: enc and dec, dgst, hmac, rand, keys, signatures, a certificate and its check, s_server beside s_client.
# needs: openssl
# timeout: 120
seq 50000 > f; openssl enc -aes-256-cbc -K $(printf '%064d' 7) -iv $(printf '%032d' 9) -in f -out f.enc
md5sum f.enc
openssl enc -d -aes-256-cbc -K $(printf '%064d' 7) -iv $(printf '%032d' 9) -in f.enc | cmp - f && echo enc
openssl enc -aes-128-ctr -pbkdf2 -pass pass:x -in f | openssl enc -d -aes-128-ctr -pbkdf2 -pass pass:x | cmp - f && echo pbkdf
for d in md5 sha1 sha256 sha512 blake2b512 sha3-256; do openssl dgst -$d f; done
openssl dgst -sha256 -hmac key f; openssl rand 100 | wc -c; openssl rand -hex 8 | wc -c
openssl genpkey -algorithm ED25519 -out k 2>/dev/null; stat -c %a k; openssl pkey -in k -pubout -out pub
head -c 1000 f > m; openssl pkeyutl -sign -inkey k -rawin -in m -out sig
openssl pkeyutl -verify -pubin -inkey pub -rawin -in m -sigfile sig
openssl ecparam -name prime256v1 -genkey -noout -out ec
openssl req -x509 -key ec -subj /CN=localhost -days 10 -out crt 2>/dev/null; openssl verify -CAfile crt crt
openssl x509 -in crt -noout -subject
openssl s_server -quiet -accept 127.0.0.1:18444 -cert crt -key ec -www > /dev/null 2>&1 & p=$!
for i in $(seq 50); do openssl s_client -connect 127.0.0.1:18444 < /dev/null > /dev/null 2>&1 && break
sleep 0.1; done
printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -quiet -CAfile crt -verify_return_error -connect 127.0.0.1:18444 2>/dev/null | head -1
kill $p; wait $p 2>/dev/null; openssl enc -d -aes-256-cbc -pass pass:y -pbkdf2 -in m 2>/dev/null; echo $?
rm k pub ec crt sig
