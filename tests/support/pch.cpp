// Holds nothing: the precompiled header of all test programs is built together with this file.
