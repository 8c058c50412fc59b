// MR_TRY and MR_ASSIGN_OR_RETURN: pass an Error on, or go on.
#pragma once

#include <utility>

#include "millrace/result.h"

#define MR_CONCAT_INNER(a, b) a##b
#define MR_CONCAT(a, b) MR_CONCAT_INNER(a, b)

/// Returns the error of `expression` from the enclosing function, if there is one.
#define MR_TRY(expression)                                                              \
  do {                                                                                  \
    if (auto mr_result = (expression); !mr_result) return std::move(mr_result).error(); \
  } while (false)

/// `MR_ASSIGN_OR_RETURN(auto value, Call());`
#define MR_ASSIGN_OR_RETURN(declaration, expression) \
  MR_ASSIGN_OR_RETURN_INNER(MR_CONCAT(mr_result_, __LINE__), declaration, expression)
#define MR_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                      \
  if (!result) return std::move(result).error();                   \
  declaration = *std::move(result)
