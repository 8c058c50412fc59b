# Which suite runs in which build, so that `./dev test` builds the world once per purpose and no more:
#   debug    units and everything short, under AddressSanitizer and UndefinedBehaviorSanitizer
#   release  long simulations, kill loops, whole-binary scenarios
#   tsan     the rooms with threads, under ThreadSanitizer
#   bugs     the score of the planted bugs
#   fuzz     the libFuzzer targets
# The target millrace_suites builds what runs in this build, suite_NAME what one suite needs; ctest runs it.
if(MILLRACE_FUZZ)
  set(MILLRACE_FLAVOUR fuzz)
elseif(MILLRACE_BUGS)
  set(MILLRACE_FLAVOUR bugs)
elseif(MILLRACE_SANITIZE MATCHES thread)
  set(MILLRACE_FLAVOUR tsan)
elseif(MILLRACE_SANITIZE)
  set(MILLRACE_FLAVOUR debug)
else()
  set(MILLRACE_FLAVOUR release)
endif()

add_custom_target(millrace_suites)

# millrace_suite(NAME RUN_IN flavour... COMMAND program [argument...] [NEEDS target...] [TIMEOUT s] [COST n]): runs COMMAND as the suite
# NAME in the builds named. COST orders suites, the long ones first. A program that is no GoogleTest prints `N passed, N failed` last.
function(millrace_suite name)
  cmake_parse_arguments(SUITE "ALONE" "TIMEOUT;COST" "RUN_IN;COMMAND;NEEDS" ${ARGN})
  if(NOT MILLRACE_FLAVOUR IN_LIST SUITE_RUN_IN)
    return()
  endif()
  add_test(NAME ${name} COMMAND ${SUITE_COMMAND})
  if(SUITE_TIMEOUT)
    set_tests_properties(${name} PROPERTIES TIMEOUT ${SUITE_TIMEOUT})
  endif()
  if(SUITE_COST)
    set_tests_properties(${name} PROPERTIES COST ${SUITE_COST})
  endif()
  if(SUITE_ALONE)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
  add_custom_target(suite_${name})
  add_dependencies(millrace_suites suite_${name})
  list(GET SUITE_COMMAND 0 program)
  if(TARGET ${program})
    add_dependencies(suite_${name} ${program})
  endif()
  if(SUITE_NEEDS)
    add_dependencies(suite_${name} ${SUITE_NEEDS})
  endif()
endfunction()

# millrace_test(NAME [SOURCES file...] [DEPENDS room...] [LINKS target...] [RUN_IN flavour...] [TIMEOUT s] [COST n]): a GoogleTest
# program of test/. Without SOURCES: every *.cc of the folder; without RUN_IN: debug.
function(millrace_test name)
  cmake_parse_arguments(SUITE "ALONE" "TIMEOUT;COST" "SOURCES;DEPENDS;LINKS;RUN_IN;NEEDS" ${ARGN})
  if(NOT SUITE_SOURCES)
    file(GLOB SUITE_SOURCES CONFIGURE_DEPENDS *.cc)
  endif()
  if(NOT SUITE_RUN_IN)
    set(SUITE_RUN_IN debug)
  endif()
  add_executable(${name} ${SUITE_SOURCES})
  millrace_precompiled(${name} test)
  foreach(room ${SUITE_DEPENDS})
    target_link_libraries(${name} PRIVATE millrace_${room})
  endforeach()
  target_link_libraries(${name} PRIVATE millrace_settings millrace_test_settings ${SUITE_LINKS} GTest::gtest GTest::gmock GTest::gtest_main Threads::Threads)
  set(alone "")
  if(SUITE_ALONE)
    set(alone ALONE)
  endif()
  millrace_suite(${name} ${alone} RUN_IN ${SUITE_RUN_IN} COMMAND ${name} NEEDS ${SUITE_NEEDS} TIMEOUT ${SUITE_TIMEOUT} COST ${SUITE_COST})
endfunction()

# millrace_fuzz_target(NAME SOURCE CORPUS [DEPENDS room...]): a libFuzzer program, in the build `fuzz` only; as a suite it starts from
# the corpus in the tree and runs for a minute.
function(millrace_fuzz_target name source corpus)
  cmake_parse_arguments(FUZZ "" "" "DEPENDS;LINKS" ${ARGN})
  if(NOT MILLRACE_FUZZ)
    return()
  endif()
  add_executable(${name} ${source})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  foreach(room ${FUZZ_DEPENDS})
    target_link_libraries(${name} PRIVATE millrace_${room})
  endforeach()
  target_link_libraries(${name} PRIVATE millrace_settings ${FUZZ_LINKS} Threads::Threads)
  set(found ${CMAKE_CURRENT_BINARY_DIR}/${name}_found)
  file(MAKE_DIRECTORY ${found})
  cmake_path(ABSOLUTE_PATH corpus)
  millrace_suite(${name} RUN_IN fuzz COMMAND ${name} -max_total_time=30 -rss_limit_mb=2048 -artifact_prefix=${found}/ ${found} ${corpus}
    TIMEOUT 180 COST 60)
endfunction()
