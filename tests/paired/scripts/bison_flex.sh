# SPDX-License-Identifier: Apache-2.0
# bison and flex: a calculator that is generated, compiled and run; m4 macros; bc and awk agree.
# needs: bison flex gcc m4 bc
cat > c.y <<'P'
%{
#include <stdio.h>
int yylex(void);
static void yyerror(const char *s) { printf("%s\n", s); }
%}
%token NUM
%left '+' '-'
%left '*' '/'
%%
all: | all line;
line: expr '\n' { printf("%d\n", $1); } | error '\n' { yyerrok; };
expr: NUM | expr '+' expr { $$ = $1 + $3; } | expr '-' expr { $$ = $1 - $3; } | expr '*' expr { $$ = $1 * $3; }
    | expr '/' expr { $$ = $1 / $3; } | '(' expr ')' { $$ = $2; };
%%
int main(void) { return yyparse(); }
P
printf '%%option noyywrap nounput noinput\n%%{\n#include <stdlib.h>\n#include "c.tab.h"\n%%}\n%%%%\n' > c.l
printf '[0-9]+ { yylval = atoi(yytext); return NUM; }\n[ ] ;\n.|\\n return yytext[0];\n' >> c.l
bison -d c.y && flex c.l && gcc -o calc c.tab.c lex.yy.c && printf '1+2*3\n(4-1)*7\n2 +\n100/7\n' | ./calc; rm calc
printf 'define(`twice'"'"', `$1 $1'"'"')dnl\ntwice(x) esyscmd(echo from shell)eval(6*7)\n' | m4; echo '2^64; scale=5; 1/3; sqrt(2)' | bc
