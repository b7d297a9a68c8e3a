#include "kernels/pointwise.h"

namespace rush {

const PointwiseInfo& pointwise_info(Pointwise op) {
  static const PointwiseInfo table[] = {
#define RUSH_ROW_1(name, kind) {#name, 1, Kind::kind},
#define RUSH_ROW_2(name, kind) {#name, 2, Kind::kind},
#define RUSH_ROW_3(name, kind) {#name, 3, Kind::kind},
#define RUSH_ROW_4(name, kind) {#name, 4, Kind::kind},
      RUSH_POINTWISE_1(RUSH_ROW_1) RUSH_POINTWISE_2(RUSH_ROW_2) RUSH_POINTWISE_3(RUSH_ROW_3)
          RUSH_POINTWISE_4(RUSH_ROW_4)};
  return table[static_cast<int>(op)];
}

}  // namespace rush
