// The same for tests.
#include "precompiled.h"

#include <gtest/gtest.h>
