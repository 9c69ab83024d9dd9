// Package numeric converts between numbers and their text as redis-server 7.0 does, to the last byte: what clients
// may send, what is stored, what replies hold and what a replica compares all depend on it.
//
//	text -> number                        number -> text
//	ParseInt          string2ll           AppendInt
//	ParseUint         string2ull
//	ParseCursor       strtoul: the cursor of SCAN
//	ParseFloat        strtod, strictly    AppendDouble17g   printf %.17g: replies with a score
//	                                      AppendDouble      d2string: scores as they are stored
//	                                      AppendFixed       a fixed number of decimals: distances
//	ParseLongDouble   strtold, strictly   AppendHuman       printf %.17Lf, trimmed: INCRBYFLOAT
//	ParseMemory       "100mb"             AppendMemory, AppendBytesHuman
//
// INCRBYFLOAT and HINCRBYFLOAT compute in C's long double, which on x86-64 has a mantissa of 64 bits. LongDouble does
// the same arithmetic with integers, so the results do not depend on the machine that Go runs on.
//
// Functions without a stated limit accept any bytes and never panic. None keeps its argument.
package numeric
