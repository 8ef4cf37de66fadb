# Writes the first ```cpp block of README to PROGRAM and the first ```text block after it to OUTPUT.

# Sets `result` to the block that `fence` opens in `text`, and `rest` to what follows it.
function(take_block text fence result rest)
    string(FIND "${text}" "${fence}\n" begin)
    if(begin EQUAL -1)
        message(FATAL_ERROR "${README}: no block that opens with ${fence}")
    endif()
    string(LENGTH "${fence}\n" fence_length)
    math(EXPR begin "${begin} + ${fence_length}")
    string(SUBSTRING "${text}" ${begin} -1 tail)
    string(FIND "${tail}" "```" length)
    string(SUBSTRING "${tail}" 0 ${length} block)
    string(SUBSTRING "${tail}" ${length} -1 tail)
    set(${result} "${block}" PARENT_SCOPE)
    set(${rest} "${tail}" PARENT_SCOPE)
endfunction()

file(READ "${README}" text)
take_block("${text}" "```cpp" program text)
take_block("${text}" "```text" output text)
file(WRITE "${PROGRAM}" "${program}")
file(WRITE "${OUTPUT}" "${output}")
