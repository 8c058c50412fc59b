# The library as users get it: libmillrace.so and libmillrace.a out of the rooms of floors 0 to 9 except kafka, and what `cmake --install` copies. The
# shared library shows what MILLRACE_EXPORT marks and nothing else.
include(GNUInstallDirs)
set(CMAKE_INSTALL_LIBDIR lib)

set(objects "")
foreach(room base text env record http wal segment store meta log cache fetch prefetch read tier cursor consumer engine)
  if(TARGET millrace_${room})
    list(APPEND objects $<TARGET_OBJECTS:millrace_${room}>)
  endif()
endforeach()

set(left_out "")
if(MILLRACE_SANITIZE)
  set(left_out EXCLUDE_FROM_ALL)
endif()
add_library(millrace_shared SHARED ${left_out} ${objects})
add_library(millrace_static STATIC ${left_out} ${objects})
set(third_party PkgConfig::ISAL PkgConfig::LZ4 PkgConfig::ZSTD PkgConfig::DEFLATE PkgConfig::SQLITE PkgConfig::CRYPTO
  PkgConfig::PUGIXML ZLIB::ZLIB Snappy::snappy fmt::fmt
  Threads::Threads)

set_target_properties(millrace_shared PROPERTIES OUTPUT_NAME millrace EXPORT_NAME millrace VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} LINKER_LANGUAGE CXX)
set_target_properties(millrace_static PROPERTIES OUTPUT_NAME millrace EXPORT_NAME static LINKER_LANGUAGE CXX)
target_link_libraries(millrace_shared PRIVATE millrace_settings ${third_party})
target_link_libraries(millrace_static PRIVATE ${third_party})
if(NOT MILLRACE_SANITIZE)
  target_link_options(millrace_shared PRIVATE -Wl,--no-undefined -Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/millrace.map)
  set_target_properties(millrace_shared PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/millrace.map)
endif()

# The server for programs that hold an engine: it goes through doors that the shared library does not show, so it stands on the static one.
add_library(millrace_server_library STATIC ${left_out} $<TARGET_OBJECTS:millrace_kafka> $<TARGET_OBJECTS:millrace_group>
  $<TARGET_OBJECTS:millrace_server>)
set_target_properties(millrace_server_library PROPERTIES OUTPUT_NAME millrace_server EXPORT_NAME server LINKER_LANGUAGE CXX)
target_link_libraries(millrace_server_library PUBLIC millrace_static)
add_library(millrace::server ALIAS millrace_server_library)

foreach(library millrace_shared millrace_static)
  target_include_directories(${library} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  target_compile_features(${library} INTERFACE cxx_std_23)
endforeach()
add_custom_target(millrace_library DEPENDS millrace_shared millrace_static millrace_server_library)

install(DIRECTORY include/millrace DESTINATION include FILES_MATCHING PATTERN *.h)
install(FILES LICENSE docs/api.md docs/cli.md docs/cursors.md docs/s3.md docs/serve.md DESTINATION share/doc/millrace)
install(TARGETS millrace_shared EXPORT millrace LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS millrace_static millrace_server_library EXPORT millrace_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})

# CMake package: millrace::millrace always, millrace::static and millrace::server where their dependencies are installed.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/millrace)
install(EXPORT millrace NAMESPACE millrace:: FILE millrace-shared.cmake DESTINATION ${package_folder})
install(EXPORT millrace_static NAMESPACE millrace:: FILE millrace-static.cmake DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/millrace-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/millrace-config.cmake ${PROJECT_BINARY_DIR}/millrace-config-version.cmake DESTINATION ${package_folder})

configure_file(cmake/millrace.pc.in ${PROJECT_BINARY_DIR}/millrace.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/millrace.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The binary and its completions, which it prints itself.
if(TARGET millrace)
  set_target_properties(millrace PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  install(TARGETS millrace RUNTIME DESTINATION bin)
  set(completions "")
  foreach(shell bash zsh fish)
    set(file ${PROJECT_BINARY_DIR}/completions/millrace.${shell})
    add_custom_command(OUTPUT ${file} COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/completions
      COMMAND millrace completion ${shell} > ${file} DEPENDS millrace VERBATIM)
    list(APPEND completions ${file})
  endforeach()
  add_custom_target(millrace_completions DEPENDS ${completions})
  install(FILES ${PROJECT_BINARY_DIR}/completions/millrace.bash DESTINATION share/bash-completion/completions RENAME millrace)
  install(FILES ${PROJECT_BINARY_DIR}/completions/millrace.zsh DESTINATION share/zsh/site-functions RENAME _millrace)
  install(FILES ${PROJECT_BINARY_DIR}/completions/millrace.fish DESTINATION share/fish/vendor_completions.d RENAME millrace.fish)
endif()
