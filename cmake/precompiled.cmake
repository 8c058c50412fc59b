# Standard headers, fmt and GoogleTest are compiled once per build instead of once per file: docs/adr/0028-precompiled-headers.md. With Clang
# only; GCC compiles the same files without, and so finds what the library forgot to include.
#
# CMake's own precompiled headers name absolute paths, by which the compiler cache of one checkout is of no use to another. Hence a path
# relative to the build, and beside the header its text (NAME.h.o.sum): ccache goes by that and not by the compiled bytes.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  function(millrace_precompiled target kind)
  endfunction()
  return()
endif()

# The header serves libraries and programs alike.
set(CMAKE_CXX_COMPILE_OPTIONS_PIE ${CMAKE_CXX_COMPILE_OPTIONS_PIC})

# millrace_precompile(KIND HEADER target...): compiles HEADER as a file that links `target...` is compiled.
function(millrace_precompile kind header)
  set_source_files_properties(${header} PROPERTIES LANGUAGE CXX)
  foreach(form header text)
    set(made millrace_precompiled_${kind}_${form})
    add_library(${made} OBJECT ${header})
    target_link_libraries(${made} PRIVATE ${ARGN})
    set_target_properties(${made} PROPERTIES CXX_COMPILER_LAUNCHER "" EXPORT_COMPILE_COMMANDS OFF)
  endforeach()
  target_compile_options(millrace_precompiled_${kind}_header PRIVATE -xc++-header -Xclang -fno-pch-timestamp)
  target_compile_options(millrace_precompiled_${kind}_text PRIVATE -xc++ -E -P)
  cmake_path(GET header FILENAME name)
  set(output CMakeFiles/millrace_precompiled_${kind}_header.dir/cmake/${name}.o)
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/${output}.sum
    COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_OBJECTS:millrace_precompiled_${kind}_text> ${PROJECT_BINARY_DIR}/${output}.sum
    DEPENDS $<TARGET_OBJECTS:millrace_precompiled_${kind}_text> $<TARGET_OBJECTS:millrace_precompiled_${kind}_header> VERBATIM)
  add_custom_target(millrace_precompiled_${kind} DEPENDS ${PROJECT_BINARY_DIR}/${output}.sum)
  set(MILLRACE_PRECOMPILED_${kind} ${output} PARENT_SCOPE)
endfunction()

# millrace_precompiled(TARGET KIND): every file of TARGET begins with the header KIND: `library`, or `test` with GoogleTest.
function(millrace_precompiled target kind)
  target_compile_options(${target} PRIVATE "SHELL:-include-pch ${MILLRACE_PRECOMPILED_${kind}}")
  add_dependencies(${target} millrace_precompiled_${kind})
endfunction()
