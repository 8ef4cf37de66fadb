// The patterns that need runnel::http, in a build that leaves it out.
#include "tour.hpp"

namespace tour {

void p14_first() { say("needs runnel::http, which this build leaves out"); }
void p15_first_with_limit() { say("needs runnel::http, which this build leaves out"); }
void p16_first_cancels() { say("needs runnel::http, which this build leaves out"); }

}  // namespace tour
